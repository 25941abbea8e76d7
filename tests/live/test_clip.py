"""A real camera take, 9.2 s at 10 frames a second, with three of its people enrolled.

Frames 0 to 6 and 28 to 70 show the singer Lin-Manuel Miranda, first with 40 pixels. Frames 7 to 13 show the pianist
Alex Lacamoire, frames 71 to 91 an audience with Barack Obama, in profile.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.live.looks import Looks
from gateway.model import AnalyseTask, Descriptor, PictureLimits, Search
from gateway.people.similarity import Similarity, typical_faces
from gateway.vision.engine import Engine
from gateway.vision.engines.options import EngineOptions
from gateway.vision.engines.registry import open_engine
from gateway.vision.tasks import run_task
from tests.live.harness import START, LiveHarness
from tests.support import SHARED, models

CLIP = sorted((SHARED / "clip").glob("frame_*.jpg"))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CLIP, reason="needs the clip in ../shared/data")]

FRAME_S = 0.1
MAX_PORTRAITS = 4
SEARCH = Search(min_face=40)
LIMITS = PictureLimits(pixels=40_000_000)
PEOPLE = {
    "Lin-Manuel Miranda": "lin_manuel_miranda",
    "Alex Lacamoire": "alex_lacamoire",
    "Barack Obama": "barack_obama",
}


class ClipRun:
    """The clip, shown once. ``names``: the people named in the answer to each frame; ``faces``: its faces."""

    def __init__(self, live: LiveHarness, engine: Engine) -> None:
        self.live = live
        self.names: list[set[str]] = []
        self.faces: list[int] = []
        looks = Looks(60, lambda: False, 10, clock=lambda: live.now.monotonic)
        for path in CLIP:
            task = looks.task("porch", SEARCH)
            analysis = run_task(path.read_bytes(), engine, task, LIMITS)
            looks.record("porch", task, analysis)
            followed = live.analysed(analysis, picture=path.read_bytes()) or []
            self.names.append({each.sighting.person.slug for each in followed if each.sighting.person})
            self.faces.append(len(followed))
            live.wait(FRAME_S)
        live.wait(130)

    def events_of(self, slug: str) -> list[str]:
        return [
            each.event_type
            for each in self.live.announcer.events
            if each.sighting.person and each.sighting.person.slug == slug
        ]


def descriptors(engine: Engine, folder: str, decide: LiveHarness) -> list[Descriptor]:
    """Return the descriptors of a person's smaller portraits with one good face."""
    found = []
    paths = sorted((SHARED / "portraits" / folder).iterdir(), key=lambda path: path.stat().st_size)
    for path in paths[:MAX_PORTRAITS]:
        analysis = run_task(path.read_bytes(), engine, AnalyseTask(SEARCH, "enrolment", single_face=True), LIMITS)
        faces = [each for each in analysis.faces if decide.decision.enrolment_shortfall(each.quality) is None]
        found += [each.descriptor for each in faces if each.descriptor is not None]
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClipRun]:
    engine = open_engine(EngineOptions("facegate", models()))
    live = LiveHarness(tmp_path_factory.mktemp("clip"), similarity=Similarity(typical_faces()))
    for name, folder in PEOPLE.items():
        live.enrol(name, *descriptors(engine, folder, live))
    yield ClipRun(live, engine)
    live.close()


def test_singer_is_one_sighting_over_the_gap(run: ClipRun) -> None:
    assert run.events_of("lin_manuel_miranda") == ["recognised", "ended"]
    (ended,) = [
        each.sighting
        for each in run.live.announcer.events
        if each.event_type == "ended" and each.sighting.person is not None
    ]
    # The first face is too small to be named, and the singer is away from frame 7 to frame 27.
    assert ended.since == START.timestamp
    assert ended.last_seen == pytest.approx(START.timestamp + 70 * FRAME_S)


def test_singer_is_named_within_700_ms_of_the_first_usable_face(run: ClipRun) -> None:
    recognised = next(each for each in run.live.announcer.events if each.event_type == "recognised")
    # Frame 28 is the first one with a usable face.
    assert recognised.timestamp <= START.timestamp + 28 * FRAME_S + 0.7


def test_nobody_gets_a_wrong_name(run: ClipRun) -> None:
    assert set.union(*run.names[:28]) == set()
    assert set.union(*run.names[28:71]) == {"lin_manuel_miranda"}
    # Neither the pianist nor the president turns to the camera.
    assert set.union(*run.names[71:]) <= {"barack_obama"}
    told = {each.sighting.person.slug for each in run.live.announcer.events if each.sighting.person}
    assert told <= {"lin_manuel_miranda", "barack_obama"}


def test_singer_is_named_in_nearly_every_frame(run: ClipRun) -> None:
    """The first two frames wait for a second face. A single odd picture has no name, and does not end the track."""
    assert sum(names == {"lin_manuel_miranda"} for names in run.names[28:71]) >= 40


def test_pianist_and_president_are_turned(run: ClipRun) -> None:
    stored = run.live.people.sightings.list_sightings()
    undecided = [each for each in stored if each.outcome not in ("named", "stranger")]
    assert {each.outcome for each in undecided} == {"turned"}
    pianist = [each for each in stored if each.since < START.timestamp + 2.8 and each.since > START.timestamp]
    assert {each.outcome for each in pianist} == {"turned"}


def test_strangers_are_people_of_the_audience(run: ClipRun) -> None:
    strangers = [each.sighting for each in run.live.announcer.events if each.event_type == "stranger"]
    assert 1 <= len(strangers) <= 3
    assert all(each.since >= START.timestamp + 7 for each in strangers)
    assert len({each.unknown for each in strangers}) == len(strangers)


def test_presence_follows_the_singer(run: ClipRun) -> None:
    texts = [each.text for each in run.live.announcer.presences]
    assert texts[:2] == ["nobody", "Lin-Manuel Miranda"]
    assert texts[-1] == "nobody"
