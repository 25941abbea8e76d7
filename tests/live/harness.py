"""Live cameras with a clock that the test sets: frames go in as the worker processes report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.errors import BadImage
from gateway.live.book import SightingBook
from gateway.live.camera import FollowedFace
from gateway.live.camera_board import CameraBoard
from gateway.live.cameras import CameraRules, LiveCameras
from gateway.live.events import Events
from gateway.live.groups import FoundGroup, GroupFound
from gateway.live.history import History
from gateway.live.journal import Journal
from gateway.live.moment import Moment
from gateway.live.owned_cameras import OwnedCameras
from gateway.live.people import KnownPeople
from gateway.live.presence import PresenceBoard
from gateway.live.sighting_decision import SightingDecision
from gateway.live.state import LiveState
from gateway.live.switches import Switches
from gateway.model import (
    Analysis,
    Box,
    Descriptor,
    FoundFace,
    Image,
    Judgement,
    Operation,
    Origin,
    Person,
    Quality,
    Request,
)
from gateway.model.caller import REST_CALLER, camera_caller
from gateway.model.sightings import CameraState, PersonPresence, Presence, SightingEvent
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.enrolment import EnrolmentSample
from gateway.people.services import build_people
from gateway.people.similarity import Similarity
from gateway.people.unknown_faces import Observation
from gateway.people.vision import NoVision
from gateway.service.face_judge import FaceJudge
from gateway.store.cipher import Cipher
from gateway.store.limits import SightingLimits
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.store import SqliteStore
from tests.examples import BOX, QUALITY
from tests.people.environment import make_rules

IMAGE = Image(640, 480, 5000)
CROP = b"\xff\xd8 a crop"
TURNED = Quality(pixels=100, brightness=0.52, sharpness=0.81, pose=0.0, inside=1.0)
START = Moment(1000.0, 1_790_000_000.0)
AGAIN_S, GONE_S, LOST_S = 120.0, 5.0, 60.0


class ImmediateExecutor(Executor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class RecordedAnnouncer:
    """An announcer that keeps everything."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []
        self.events: list[SightingEvent] = []
        self.presences: list[Presence] = []
        self.people: list[PersonPresence] = []
        self.cameras: list[CameraState] = []
        self.snapshots: list[tuple[str, bytes]] = []
        self.removed: list[str] = []

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        self.snapshots.append((camera, picture))
        self.all.append(("snapshot", camera))

    def announce_event(self, event: SightingEvent) -> None:
        self.events.append(event)
        self.all.append((event.event_type, event))

    def announce_presence(self, presence: Presence) -> None:
        self.presences.append(presence)
        self.all.append(("presence", presence))

    def announce_person(self, presence: PersonPresence) -> None:
        self.people.append(presence)
        self.all.append(("person", presence))

    def announce_camera(self, state: CameraState) -> None:
        self.cameras.append(state)
        self.all.append(("camera", state))

    def announce_switch(self, enabled: bool) -> None:
        self.all.append(("switch", enabled))

    def remove_person(self, slug: str) -> None:
        self.removed.append(slug)

    def remove_camera(self, camera: str) -> None:
        self.removed.append(camera)

    def told(self) -> list[tuple[str, str | None]]:
        """Return the type and the person of each event."""
        return [(each.event_type, _slug(each.sighting.person)) for each in self.events]


class LiveHarness:
    """The live cameras on a real store. ``people``: descriptors of enrolled people, by their names.

    ``keep_days``: of the sightings, by the clock of the computer. By default none is too old. ``shared``: this is a
    replica, which follows the cameras that ``take`` gives it.
    """

    def __init__(
        self,
        data: Path,
        people: Mapping[str, Sequence[Descriptor]] | None = None,
        *,
        again_s: float = AGAIN_S,
        appeared: bool = False,
        most_cameras: int = 100,
        known: frozenset[str] = frozenset(),
        keep_days: float = 36_500,
        start: Moment = START,
        similarity: Similarity | None = None,
        started: bool = True,
        shared: bool = False,
    ) -> None:
        self.decision = Decision(0.01, 0.001, measured_curves("facegate"))
        self.store = SqliteStore(data / "people.sqlite", Cipher(None), audit=AuditFile(data / AUDIT_FILE))
        self.people = build_people(
            store=self.store,
            similarity=similarity or Similarity(None),
            decision=self.decision,
            vision=NoVision(),
            rules=replace(make_rules(data), sightings=SightingLimits(keep_days)),
            data=data,
        )
        for name, descriptors in (people or {}).items():
            self.enrol(name, *descriptors)
        self.people.updater.refresh()
        self.announcer = RecordedAnnouncer()
        self.switches = Switches(self.store.camera_switches, "facegate")
        gallery = self.people.gallery
        judge, journal = FaceJudge(gallery, self.decision), self._make_journal(shared)
        presence = PresenceBoard(self.announcer)
        self.book = SightingBook(
            SightingDecision(gallery, self.decision),
            Events(self.announcer, journal, snapshots=True),
            journal,
            self._find_group,
            again_s=again_s,
            appeared=appeared,
        )
        self.owned = OwnedCameras(shared=shared)
        board = CameraBoard(self.announcer, self.switches, LOST_S)
        rules = CameraRules(GONE_S, again_s, LOST_S, most_cameras, known)
        self.cameras = LiveCameras(self.book, presence, judge, self.switches, board, rules, self.owned)
        self.state = LiveState(
            self.cameras, board, self.book, presence, journal, KnownPeople(gallery), self.switches, self.announcer
        )
        self.now = start
        self._frames = 0
        self.caller = REST_CALLER
        if started:
            self.state.start(History.read_all(self.people.sightings), self.now)

    def enrol(self, name: str, *descriptors: Descriptor) -> Person:
        """Enrol a person with one picture for each descriptor."""
        samples = [
            EnrolmentSample(f"{name} {n}".encode(), FoundFace(BOX, each, quality=QUALITY, chips=b"chips"))
            for n, each in enumerate(descriptors)
        ]
        entry, _ = self.people.registry.enrol(name, samples, REST_CALLER)
        return entry.person

    def _make_journal(self, shared: bool) -> Journal:
        if shared:
            # As PostgreSQL has it for replicas.
            with self.store.database.transaction() as db:
                db.execute("CREATE TABLE IF NOT EXISTS cluster_cameras (name TEXT PRIMARY KEY, epoch INTEGER)")
        executor, is_ignored = ImmediateExecutor(), self.people.groups.is_ignored
        return Journal(self.people.sightings, executor, is_ignored, lambda task: task(), shared=shared)

    def _find_group(self, face: FoundFace, camera: str, moment: float, done: GroupFound) -> None:
        group = None
        # The face is not good enough to be enrolled later.
        with suppress(BadImage):
            group = self.people.unknown_faces.add(Observation(face, b"", (), camera, moment))
        done(None if group is None else FoundGroup(group.id, group.seen, group.ignored))

    def take(self, *cameras: str) -> None:
        """Follow cameras, as a replica that becomes their owner."""
        epochs = self.claim(*cameras)
        self.state.take_cameras(epochs, History.read_cameras(self.people.sightings, cameras), self.now)
        self.owned.add(cameras)

    def claim(self, *cameras: str) -> dict[str, int]:
        """Return new epochs of cameras, which are those in the store from now on."""
        with self.store.database.transaction() as db:
            for each in cameras:
                db.execute(
                    "INSERT INTO cluster_cameras (name, epoch) VALUES (?, 1)"
                    " ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1",
                    (each,),
                )
            rows = db.execute("SELECT name, epoch FROM cluster_cameras").fetchall()
        return {name: epoch for name, epoch in rows if name in cameras}

    def release(self, *cameras: str, write: bool = True) -> None:
        """Leave cameras to another replica. ``write``: the lease has not ended."""
        self.owned.remove(cameras)
        self.state.release_cameras(cameras, write=write)

    def close(self) -> None:
        """Close the store, as when the gateway ends."""
        self.store.close()

    def wait(self, seconds: float) -> None:
        """Let time pass. The timer runs four times a second, as in the service, and in long pauses once a second."""
        end = self.now.monotonic + seconds
        while self.now.monotonic < end - 1e-9:
            left = end - self.now.monotonic
            step = min(1.0 if left > 10 else 0.25, left)
            self.now = Moment(self.now.monotonic + step, self.now.timestamp + step)
            self.state.tick(self.now)

    def frame(
        self, *faces: FoundFace, camera: str = "porch", picture: bytes | None = None, **analysed: Any
    ) -> list[FollowedFace] | None:
        """Let a camera show these faces now."""
        self._frames += 1
        picture = picture or b"picture %d" % self._frames
        return self.analysed(Analysis(IMAGE, faces, {}, **analysed), camera, picture)

    def analysed(
        self,
        analysis: Analysis,
        camera: str = "porch",
        picture: bytes = b"",
        judgements: Sequence[Judgement] | None = None,
        **about: Any,
    ) -> list[FollowedFace] | None:
        origin = Origin(caller=camera_caller(camera), timestamp=self.now.timestamp, received=self.now.monotonic)
        request = Request(
            operation=Operation.FACE_REC, pictures=(picture,), valid_for_s=60, origin=origin, live=True, **about
        )
        return self.cameras.add_frame(request, analysis, judgements)


def face(
    descriptor: Descriptor | None, x: int = 100, y: int = 100, side: int = 100, quality: Quality = QUALITY
) -> FoundFace:
    """Return a face at a place of the picture."""
    quality = quality if descriptor is not None else TURNED
    return FoundFace(Box(x, y, x + side, y + side), descriptor, None, quality, b"chips", CROP)


def _slug(person: Person | None) -> str | None:
    return person.slug if person else None
