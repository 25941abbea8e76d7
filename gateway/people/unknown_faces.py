"""Observation of unknown faces in a thread of its own, so that recognition never waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from queue import Empty

from gateway.attempts import Attempts
from gateway.errors import GatewayError
from gateway.model import FoundFace, Image, Polygon
from gateway.people.bounded_queue import BoundedQueue
from gateway.people.enrolment_advice import EnrolmentAdvisor
from gateway.people.unknown_groups import UnknownGroups
from gateway.store.records import UnknownGroup

log = logging.getLogger(__name__)

MAX_WAITING_FACES = 32
"""Faces that wait, a quarter of them from one camera. Further faces are dropped: the next frame shows them again."""

MAX_WAITING_BYTES = 32_000_000
"""Bytes of the pictures of waiting faces. A picture may have 10 MB, and counts once for each of its faces."""

SAVE_INTERVAL_S = 5.0
"""Time between two saves of the sightings."""

MIN_GROUP_PIXELS = 60
"""Size of a face that may begin a group. Smaller faces cannot be distinguished well enough."""


def _ignore(_group: UnknownGroup | None) -> None:
    pass


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """An unknown face in a picture of a camera.

    ``picture``: empty for a face that has chips already. ``place``: the corners of the face, relative to the picture;
    ``moment``: seconds since 1970; ``done``: called with the group of the face, or with None if it has none.
    """

    face: FoundFace
    picture: bytes
    place: Polygon
    camera: str
    moment: float
    done: Callable[[UnknownGroup | None], None] = _ignore


class UnknownFaces:
    """Thread that describes unknown faces, and adds them to groups."""

    def __init__(
        self,
        groups: UnknownGroups,
        advisor: EnrolmentAdvisor,
        describe: Callable[[bytes, Polygon, str], FoundFace],
    ) -> None:
        """``describe`` returns the face at a place in a camera's picture, described for an enrolment."""
        self._groups = groups
        self._advisor = advisor
        self._describe = describe
        self._waiting: BoundedQueue[Observation | None] = BoundedQueue(MAX_WAITING_FACES, MAX_WAITING_BYTES)
        self._stopping = threading.Event()
        self._saving = Attempts(log, "the groups of unknown faces are saved later")
        self._thread = threading.Thread(target=self._run, name="unknowns")

    def start(self) -> None:
        if self._groups.is_enabled:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        # An item ends the wait of the thread.
        self._waiting.offer(None, 0)
        if self._thread.is_alive():
            self._thread.join()

    def observe(self, face: FoundFace, picture: bytes, image: Image, camera: str) -> None:
        """Queue an unknown face, without waiting. ``image``: the size of the picture."""
        if self._groups.is_enabled:
            place = face.box.relative_corners(image)
            self._waiting.offer(Observation(face, picture, place, camera, time.time()), len(picture), camera)

    def find_group(
        self, face: FoundFace, camera: str, moment: float, done: Callable[[UnknownGroup | None], None]
    ) -> None:
        """Find or begin the group of a face with chips, without waiting. ``done``: called in another thread."""
        observation = Observation(face, b"", (), camera, moment, done)
        size = len(face.chips or b"") + len(face.crop or b"")
        if not self._groups.is_enabled or not self._waiting.offer(observation, size, camera):
            done(None)

    def _run(self) -> None:
        saved_at = time.monotonic()
        while not self._stopping.is_set():
            try:
                observation = self._waiting.get(timeout=1)
                if observation is not None:
                    self._add_and_report(observation)
            except Empty:
                pass
            # The gateway is stopping: its workers have cancelled their jobs.
            except CancelledError:
                return
            # The picture is not usable, or the queue of the workers is full. The next frame shows the stranger again.
            except GatewayError as error:
                log.debug("an unknown face was not added to a group: %s", error)
            except Exception:
                log.exception("an unknown face cannot be added to a group")
            if time.monotonic() > saved_at + SAVE_INTERVAL_S:
                saved_at = time.monotonic()
                self._tidy()
        self._tidy()

    def _add_and_report(self, observation: Observation) -> None:
        group = None
        try:
            group = self.add(observation)
        finally:
            observation.done(group)

    def add(self, observation: Observation) -> UnknownGroup | None:
        """Add an observation to the groups, and return its group. Raises GatewayError for an unsuitable face."""
        face, camera, moment = observation.face, observation.camera, observation.moment
        assert face.descriptor is not None
        group = self._groups.add_sighting(face.descriptor, camera, moment)
        if face.quality is None or face.quality.pixels < MIN_GROUP_PIXELS:
            return group
        if group is None or self._groups.wants_face(group, face.quality, moment):
            described = self._describe(observation.picture, observation.place, camera) if observation.picture else face
            # A face that could not be enrolled later is not kept.
            self._advisor.check_face(described, "the picture")
            return self._groups.add_face(group, described, face.quality, camera, moment)
        return group

    def _tidy(self) -> None:
        with self._saving.attempt():
            self._groups.tidy()
