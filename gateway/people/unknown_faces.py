"""Faces that nobody knows, grouped across frames and cameras, until somebody gives them a name or they expire."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty

import numpy as np
from numpy.typing import NDArray

from gateway.errors import GatewayError, UnknownPerson
from gateway.model import Box, FoundFace, Image, Polygon, Quality
from gateway.model.caller import Caller
from gateway.people.bounded_queue import BoundedQueue
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.registry import EnrolmentSample, Registry
from gateway.store.protocols import UnknownGroups
from gateway.store.records import PersonEntry, StoredFace, UnknownGroup

log = logging.getLogger(__name__)

MAX_WAITING_FACES = 32
"""Faces at most, a quarter of them from one camera. More are not looked at: they come again with the next frame."""

MAX_WAITING_BYTES = 32_000_000
"""Of their pictures, which may have 10 MB each: several faces of one picture count it several times."""

MAX_FACES_PER_GROUP = 5
"""Kept of a group, each of another moment."""

MIN_FACE_INTERVAL_S = 5.0
"""Seconds between two faces that are kept: those of one moment are nearly the same picture."""

SAVE_INTERVAL_S = 5.0
"""How often it is written down who was seen."""

JOIN_SCORE = 4 / 6
"""The score from which a face joins a group: at a false match rate of one in 10,000."""

NEW_VISIT_AFTER_S = 60.0
"""After which somebody who comes back is counted once more."""

MAX_NAMED_IDS = 10
"""Ids in one warning."""

MIN_GROUP_PIXELS = 60
"""Across a face, for it to begin a group: smaller ones cannot be told apart well enough."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A face that was seen, where in which picture, and by which camera."""

    face: FoundFace
    picture: bytes
    place: Polygon
    camera: str
    moment: float


class UnknownFaces:
    """``describe`` gives the face in a part of a camera's picture, as it is described to be enrolled.

    In a thread of its own: recognition never waits for it. With ``most`` groups 0 nothing is kept.
    ``tidies``: deletes what is not to be kept, or was described by another recipe; a command does not.
    """

    def __init__(
        self,
        groups: UnknownGroups,
        gallery: Gallery,
        decision: Decision,
        registry: Registry,
        describe: Callable[[bytes, Polygon, str], FoundFace],
        *,
        most: int,
        keep_days: float,
        tidies: bool = True,
    ) -> None:
        self._store = groups
        self._gallery = gallery
        self._decision = decision
        self._registry = registry
        self._describe = describe
        self._most = most
        self._keep_s = 86_400 * keep_days
        self._strangers: BoundedQueue[Observation | None] = BoundedQueue(MAX_WAITING_FACES, MAX_WAITING_BYTES)
        self._lock = threading.RLock()
        self._groups: dict[int, UnknownGroup] = {}
        self._kept_at: dict[int, float] = {}
        self._unsaved: set[int] = set()
        if tidies:
            groups.delete_other_recipes() if most else groups.delete_all()
        self._load()
        registry.before_removal, registry.beside, registry.undone = self.forget_like, self._lock, self._load
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="unknowns")

    def start(self) -> None:
        if self._most:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._strangers.offer(None, 0)  # or it would be waited for
        if self._thread.is_alive():
            self._thread.join()

    def observe(self, face: FoundFace, picture: bytes, image: Image, camera: str) -> None:
        """Returns at once. ``image``: how large the picture is."""
        if self._most:
            stranger = Observation(face, picture, face.box.relative_corners(image), camera, time.time())
            self._strangers.offer(stranger, len(picture), camera)

    def list(self) -> list[UnknownGroup]:
        """Who was seen last first."""
        with self._lock:
            return sorted(self._groups.values(), key=lambda group: -group.last)

    def group(self, key: int) -> UnknownGroup:
        """Raises UnknownPerson."""
        with self._lock:
            if (group := self._groups.get(key)) is None:
                raise UnknownPerson(f"there is no unknown {key}")
            return group

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence about groups that can't be read."""
        damaged = sorted(self._store.damaged)
        if not damaged:
            return ()
        ids = ", ".join(map(str, damaged[:MAX_NAMED_IDS])) + (", ..." if len(damaged) > MAX_NAMED_IDS else "")
        return (
            f"{len(damaged)} groups of unknown faces are damaged and left out ({ids}): delete them with"
            " `facegate unknowns forget ID`, or they expire as the others do",
        )

    def forget(self, key: int) -> None:
        """Raises UnknownPerson."""
        with self._lock:
            if key in self._store.damaged:
                self._store.delete([key])
                return
            self._store.delete([self.group(key).id])
            del self._groups[key]

    def name(
        self, key: int, name: str | None, caller: Caller, *, person: str | None = None
    ) -> tuple[PersonEntry, tuple[str, ...]]:
        """Enrols the group's faces as that person's, who may be new. Raises UnknownPerson."""
        with self._lock:
            faces = [face for _, face in self.group(key).faces]
            if key not in self._store.read_ids():  # another process was first
                raise UnknownPerson(f"there is no unknown {key}")
            samples = [EnrolmentSample(face.chips, _found(face)) for face in faces if face.chips]
            enrolled = self._registry.enrol(name, samples, caller, person=person)
            self.forget(key)
            return enrolled

    def forget_like(self, slug: str) -> None:
        """Delete the groups that may show a person before the person is erased, and all damaged groups."""
        with self._lock:
            for key in self._store.damaged & self._store.read_ids():
                log.warning("the damaged unknown %d is deleted: somebody was to be erased", key)
                self.forget(key)
            if slug not in self._gallery:
                return
            for group in list(self._groups.values()):
                found = self._gallery.compare_person(slug, group.mean())
                if self._decision.score(found.similarity, found.pictures) >= self._decision.verification_threshold():
                    self.forget(group.id)

    def _load(self) -> None:
        """As they are in the store; what was seen in the last seconds may be lost."""
        with self._lock:
            self._groups = {group.id: group for group in self._store.load()} if self._most else {}
            self._unsaved.clear()

    def _watch(self) -> None:
        saved = time.monotonic()
        while not self._stopping.is_set():
            try:
                stranger = self._strangers.get(timeout=1)
                if stranger is not None:
                    self._observe(stranger)
            except Empty:
                pass
            except CancelledError:
                return  # the gateway is going down
            except GatewayError as error:  # the picture is no use, or the queue is full: they come again
                log.debug("a stranger was not looked at: %s", error)
            except Exception:
                log.exception("unknown faces cannot be kept")
            if time.monotonic() > saved + SAVE_INTERVAL_S:
                saved = time.monotonic()
                self._tidy()
        self._tidy()

    def _observe(self, stranger: Observation) -> None:
        assert stranger.face.descriptor is not None
        with self._lock:
            group = self._nearest(stranger.face)
            if group is not None:
                group.seen += stranger.moment > group.last + NEW_VISIT_AFTER_S
                group.last = stranger.moment
                group.mark_seen_by(stranger.camera)
                self._unsaved.add(group.id)
        quality = stranger.face.quality
        if quality is None or quality.pixels < MIN_GROUP_PIXELS:
            return
        if group is None or self._wants(group, quality, stranger.moment):
            face = self._describe(stranger.picture, stranger.place, stranger.camera)
            self._registry.check_face(face, "the picture")  # or it could not be named later
            self._keep(group, face, quality, stranger)

    def _nearest(self, face: FoundFace) -> UnknownGroup | None:
        assert face.descriptor is not None
        best: tuple[float, UnknownGroup | None] = (JOIN_SCORE, None)
        for group in self._groups.values():
            alike = self._gallery.compare(face.descriptor, group.mean())
            best = max(best, (self._decision.score(alike, len(group.faces)), group), key=lambda each: each[0])
        return best[1]

    def _wants(self, group: UnknownGroup, quality: Quality, moment: float) -> bool:
        if moment < self._kept_at.get(group.id, 0) + MIN_FACE_INTERVAL_S:
            return False
        return len(group.faces) < MAX_FACES_PER_GROUP or _worth(quality) > 1.2 * group.faces[-1][0]

    def _keep(self, group: UnknownGroup | None, face: FoundFace, quality: Quality, stranger: Observation) -> None:
        assert face.descriptor is not None
        described, worth = StoredFace(face.descriptor, face.chips, face.crop), _worth(quality)
        with self._lock:
            if group is None:
                group = self._store.add_group(stranger.camera, stranger.moment, worth, described)
                self._groups[group.id] = group
            elif group.id in self._groups:  # not forgotten meanwhile
                self._store.add_face(group, worth, described, MAX_FACES_PER_GROUP)
            self._kept_at[group.id] = stranger.moment

    def _tidy(self) -> None:
        """Writes down who was seen; forgets who was not for long, and of too many those beyond a fair share."""
        with self._lock, _logged():
            if self._store.damaged:
                self._store.delete_damaged(time.time() - self._keep_s)
            limits = self._decision.similarity_limits(len(self._gallery))
            recent = [group for group in self.list() if group.last > time.time() - self._keep_s]
            stay = fair_share(recent, self._most)
            known = {group.id for group in stay if self._known(group, limits)}
            here = self._store.read_ids()  # another process may have named or forgotten some
            gone = self._groups.keys() - {group.id for group in stay if group.id in here} | known
            if gone & here:
                self._store.delete(sorted(gone & here))
            for key in gone:
                del self._groups[key]
                self._kept_at.pop(key, None)
            self._store.save_sightings([self._groups[key] for key in self._unsaved & self._groups.keys()])
            self._unsaved.clear()

    def _known(self, group: UnknownGroup, limits: NDArray[np.float32]) -> bool:
        """Enrolled by another way meanwhile."""
        return self._decision.identify(self._gallery.nearest(group.mean(), limits)).verdict == "match"


def fair_share(groups: Sequence[UnknownGroup], most: int) -> list[UnknownGroup]:
    """Those that stay of too many: the camera with the most groups loses the one that was longest not seen.

    So no camera can push out the groups of the others. ``groups``: who was seen last first.
    """
    by_camera: dict[str, list[UnknownGroup]] = {}
    for group in groups:
        by_camera.setdefault(group.source, []).append(group)
    for _ in range(len(groups) - most):
        fullest = max(by_camera.values(), key=lambda each: (len(each), -each[-1].last))
        fullest.pop()
    return [group for each in by_camera.values() for group in each]


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except GatewayError:
        log.exception("it cannot be written down who was seen")


def _worth(quality: Quality) -> float:
    """How well a face can be seen, in one number."""
    return min(quality.pixels, 200) / 200 * quality.sharpness * (0.2 + quality.pose) * quality.inside


def _found(face: StoredFace) -> FoundFace:
    return FoundFace(Box(0, 0, 1, 1), face.descriptor, chips=face.chips)
