"""The next look at each camera: the state that the task of its next frame needs, and the time of its full looks.

Worker processes keep nothing about a camera. So the state comes back with each answer, and is stored here.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.model import Analysis, Box, LandmarkCount, LiveTask, Search
from gateway.model.tasks import MAX_KNOWN_FACES

FRESH_S, FRESH_LOOKS = 3.0, 3
"""Time, and number of looks, for which a new face is looked at although it is still: both must have passed."""

LEARN_INTERVAL_S = 1.0
"""Interval in which a camera's thumbnail learns once where pictures change without a face.

It learns by time, not by frames: a person who passes a fast camera has many frames, but little time.
"""

MANY_WAITING_JOBS = 10
"""Waiting jobs from which the first look at a camera is put off until no job waits.

After a start, a thousand cameras send their first frames at once: full looks would take the workers half a minute.
"""

EARLY_SHARE = 0.75
"""Share of ``full_look_s`` after which a full look is due if the workers are idle."""


@dataclass(frozen=True, slots=True)
class _CameraLooks:
    """The state of a camera. Moments are on the clock of ``time.monotonic``.

    ``full_at``: the moment of the last full look, or a random one before the first. ``seen_whole``: there was a full
    look. ``fresh_until`` and ``fresh_looks``: until then, and for so many more
    looks, the faces are looked at in any case. ``changed``: the parts that changed in the last frame.
    """

    thumbnail: bytes | None = None
    faces: tuple[Box, ...] = ()
    changed: tuple[Box, ...] = ()
    full_at: float = 0.0
    seen_whole: bool = False
    learned_at: float = 0.0
    fresh_until: float = 0.0
    fresh_looks: int = 0


class Looks:
    """The next look at each camera. Safe to use from any thread.

    ``full_look_s``: the interval of full looks. ``waiting_jobs``: returns the number of jobs that wait for a worker.
    ``cameras``: the largest number of cameras that are remembered. A forgotten camera is looked at in full.
    ``first_phase``: returns a number from 0 to 1, a camera's place in the first interval, so that cameras that began
    together are spread.
    """

    def __init__(
        self,
        full_look_s: float,
        waiting_jobs: Callable[[], int],
        cameras: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        first_phase: Callable[[], float] = random.random,
    ) -> None:
        self._full_look_s = full_look_s
        self._waiting_jobs = waiting_jobs
        self._most_cameras = cameras
        self._clock = clock
        self._first_phase = first_phase
        self._lock = threading.Lock()
        # In the order of their last frame.
        self._cameras: OrderedDict[str, _CameraLooks] = OrderedDict()

    def task(self, camera: str, search: Search, landmarks: LandmarkCount = 0, wanted: tuple[Box, ...] = ()) -> LiveTask:
        """Return the task for the next frame of a camera. ``wanted``: boxes of faces to look at in any case."""
        # This is called when a worker takes the job: the result of the camera's last frame is recorded by then.
        with self._lock:
            last = self._cameras.get(camera, _CameraLooks())
        now = self._clock()
        fresh = now < last.fresh_until or last.fresh_looks > 0
        return LiveTask(
            search,
            last.thumbnail,
            last.faces,
            # A part that has come to rest is looked at once more: its last look saw it in motion.
            look_at=(*wanted, *last.changed, *(last.faces if fresh else ())),
            full=self._needs_full_look(last, now),
            learn=now - last.learned_at >= LEARN_INTERVAL_S,
            landmarks=landmarks,
        )

    def record(self, camera: str, task: LiveTask, analysis: Analysis) -> None:
        """Record the result of a frame. Call it before the next frame of this camera is taken."""
        now = self._clock()
        faces = tuple(face.box for face in analysis.faces)
        with self._lock:
            last = self._cameras.pop(camera, None) or self._first(now)
            following = replace(
                last,
                thumbnail=analysis.thumbnail or task.thumbnail,
                faces=(*faces, *analysis.still)[:MAX_KNOWN_FACES],
                changed=analysis.changed,
                full_at=now if analysis.looked == "full" and last.seen_whole else last.full_at,
                seen_whole=last.seen_whole or analysis.looked == "full",
                learned_at=now if task.learn else last.learned_at,
                fresh_looks=max(last.fresh_looks - 1, 0),
            )
            if any(_is_new(box, task.faces) for box in faces):
                following = replace(following, fresh_until=now + FRESH_S, fresh_looks=FRESH_LOOKS)
            self._cameras[camera] = following
            while len(self._cameras) > self._most_cameras:
                self._cameras.popitem(last=False)

    def look_again(self, camera: str) -> None:
        """Look at the faces of the camera's next frame even if they stand still, since nobody follows them."""
        with self._lock:
            if (last := self._cameras.get(camera)) is not None:
                self._cameras[camera] = replace(last, fresh_looks=max(last.fresh_looks, 1))

    def forget(self, camera: str | None) -> None:
        """Forget a camera, or all cameras (None). The next frame is looked at in full."""
        with self._lock:
            if camera is None:
                self._cameras.clear()
            else:
                self._cameras.pop(camera, None)

    def _first(self, now: float) -> _CameraLooks:
        return _CameraLooks(full_at=now - self._first_phase() * EARLY_SHARE * self._full_look_s)

    def _needs_full_look(self, last: _CameraLooks, now: float) -> bool:
        if last.thumbnail is None:
            return self._waiting_jobs() < MANY_WAITING_JOBS
        age_s = now - last.full_at
        if age_s >= self._full_look_s:
            return True
        return (not last.seen_whole or age_s >= EARLY_SHARE * self._full_look_s) and self._waiting_jobs() == 0


def _is_new(box: Box, faces: tuple[Box, ...]) -> bool:
    """Return whether a face was not there in the frame before, or moved far. ``faces``: of that frame."""
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return not any(face.left <= x < face.right and face.top <= y < face.bottom for face in faces)
