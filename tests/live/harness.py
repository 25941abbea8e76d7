"""Live cameras with a clock that the test sets: frames go in as the worker processes report them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

import numpy as np

from gateway.live.book import SightingBook
from gateway.live.camera import FollowedFace
from gateway.live.camera_board import CameraBoard
from gateway.live.cameras import CameraRules, LiveCameras
from gateway.live.events import Events
from gateway.live.groups import FoundGroup, GroupFound
from gateway.live.journal import Journal
from gateway.live.moment import Moment
from gateway.live.people import KnownPeople
from gateway.live.presence import PresenceBoard
from gateway.live.sighting_decision import SightingDecision
from gateway.live.state import LiveState
from gateway.live.switches import NoSwitches, Switches
from gateway.model import Analysis, Box, Descriptor, FoundFace, Image, Operation, Origin, Person, Quality, Request
from gateway.model.caller import camera_caller
from gateway.model.sightings import CameraState, PersonPresence, Presence, SightingEvent
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.similarity import Similarity, typical_faces
from gateway.service.face_judge import FaceJudge
from gateway.store.protocols import CameraSwitches, Sightings
from gateway.store.records import Changes, GallerySnapshot

IMAGE = Image(640, 480, 5000)
CROP = b"\xff\xd8 a crop"
GOOD = Quality(pixels=100, brightness=0.52, sharpness=0.81, pose=0.93, inside=1.0)
TURNED = Quality(pixels=100, brightness=0.52, sharpness=0.81, pose=0.0, inside=1.0)
START = Moment(1000.0, 1_790_000_000.0)
AGAIN_S, GONE_S, LOST_S = 120.0, 5.0, 60.0

T = TypeVar("T")


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


class Groups:
    """The unknown groups: each face of another stranger begins one."""

    def __init__(self, gallery: Gallery, decision: Decision) -> None:
        self.enabled = True
        self.ignored: set[int] = set()
        self.faces: list[tuple[int, Descriptor]] = []
        self.seen: dict[int, int] = {}
        self._gallery = gallery
        self._decision = decision

    def find(self, face: FoundFace, camera: str, moment: float, done: GroupFound) -> None:
        assert face.descriptor is not None
        if not self.enabled:
            done(None)
            return
        score = self._decision.score
        known = [n for n, each in self.faces if score(self._gallery.compare(face.descriptor, each)) >= 4 / 6]
        key = known[0] if known else len(self.seen) + 1
        self.faces.append((key, face.descriptor))
        self.seen[key] = self.seen.get(key, 0) + 1
        done(FoundGroup(key, self.seen[key], key in self.ignored))


class LiveHarness:
    """The live cameras over a gallery of these people, each with one descriptor, or several for several pictures."""

    def __init__(
        self,
        *people: tuple[Person, Sequence[Descriptor]],
        store: Sightings | None = None,
        switches: CameraSwitches | None = None,
        again_s: float = AGAIN_S,
        appeared: bool = False,
        most_cameras: int = 100,
        start: Moment = START,
    ) -> None:
        self.gallery = Gallery(Similarity(typical_faces()))
        self.decision = Decision(0.01, 0.001, measured_curves("facegate"))
        self.enrol(*people)
        self.announcer = RecordedAnnouncer()
        self.groups = Groups(self.gallery, self.decision)
        self.switches = Switches(switches or NoSwitches(), "facegate")
        judge, journal = FaceJudge(self.gallery, self.decision), Journal(store, ImmediateExecutor())
        presence = PresenceBoard(self.announcer)
        self.book = SightingBook(
            SightingDecision(self.gallery, self.decision),
            Events(self.announcer, journal, snapshots=True),
            journal,
            self.groups.find,
            again_s=again_s,
            appeared=appeared,
        )
        board = CameraBoard(self.announcer, self.switches, LOST_S)
        rules = CameraRules(GONE_S, again_s, LOST_S, most_cameras)
        self.cameras = LiveCameras(self.book, presence, judge, self.switches, board, rules)
        people_known = KnownPeople(self.gallery)
        self.state = LiveState(
            self.cameras, board, self.book, presence, journal, people_known, self.switches, self.announcer
        )
        self.now = start
        self._frames = 0
        self.state.start(self.now)

    def enrol(self, *people: tuple[Person, Sequence[Descriptor]]) -> None:
        """Enrol these people instead of all others."""
        keys = np.arange(len(people)) + 1
        means = [np.mean(np.array(faces), axis=0) for _, faces in people]
        faces = np.array([mean / np.linalg.norm(mean) for mean in means], np.float32).reshape(-1, 128)
        counts = np.array([len(faces) for _, faces in people], np.int64)
        nobody = np.empty((0, 128), np.float32), np.empty(0, np.int64)
        snapshot = GallerySnapshot(keys, [person for person, _ in people], faces, counts, *nobody)
        gone = [key for key in range(1, 20) if key not in keys]
        self.gallery.apply(Changes(1, snapshot, gone))

    def wait(self, seconds: float) -> None:
        """Let time pass. The timer runs four times a second, as in the service."""
        end = self.now.monotonic + seconds
        while self.now.monotonic < end - 1e-9:
            step = min(0.25, end - self.now.monotonic)
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
        self, analysis: Analysis, camera: str = "porch", picture: bytes = b"", **about: Any
    ) -> list[FollowedFace] | None:
        origin = Origin(caller=camera_caller(camera), timestamp=self.now.timestamp, received=self.now.monotonic)
        request = Request(
            operation=Operation.FACE_REC, pictures=(picture,), valid_for_s=60, origin=origin, live=True, **about
        )
        return self.cameras.add_frame(request, analysis)


def face(
    descriptor: Descriptor | None, x: int = 100, y: int = 100, side: int = 100, quality: Quality = GOOD
) -> FoundFace:
    """Return a face at a place of the picture."""
    quality = quality if descriptor is not None else TURNED
    return FoundFace(Box(x, y, x + side, y + side), descriptor, None, quality, b"chips", CROP)


def _slug(person: Person | None) -> str | None:
    return person.slug if person else None
