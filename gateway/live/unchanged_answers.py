"""The limit of answers to live frames that show nothing new."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from gateway.model import Recognition


@dataclass(frozen=True, slots=True)
class _LastAnswer:
    """``outcome``: all that a camera may react to. ``at``: on the clock of ``time.monotonic``."""

    outcome: tuple[object, ...]
    at: float


class UnchangedAnswers:
    """Record of the last answer to each camera. Safe to use from any thread.

    ``pause_s``: the setting ``live.unchanged_answer_s``. ``most_cameras``: the setting ``live.most_cameras``; the
    camera that was silent for longest is forgotten.
    """

    # A still scene costs the gateway almost nothing, so a camera may send ten frames a second. Ten equal answers a
    # second would cost the broker and every subscriber more than the frames cost the gateway.

    def __init__(self, pause_s: float, most_cameras: int) -> None:
        self._pause_s = pause_s
        self._most_cameras = most_cameras
        self._lock = threading.Lock()
        self._last: OrderedDict[str, _LastAnswer] = OrderedDict()

    def needs_answer(self, camera: str, reply: Recognition) -> bool:
        """Return whether a frame is answered, and record its answer.

        Each frame is answered that is the first of its camera, shows a change, has another outcome than the answer
        before, or comes ``pause_s`` after it.
        """
        now, outcome = time.monotonic(), _outcome(reply)
        with self._lock:
            last = self._last.get(camera)
            repeats = last is not None and reply.unchanged and last.outcome == outcome and reply.annotated is None
            if last is not None and repeats and now < last.at + self._pause_s:
                return False
            self._last[camera] = _LastAnswer(outcome, now)
            self._last.move_to_end(camera)
            if len(self._last) > self._most_cameras:
                self._last.popitem(last=False)
            return True

    def forget(self, camera: str) -> None:
        """Let the next frame of a camera be answered, since it got another answer, such as an error."""
        with self._lock:
            self._last.pop(camera, None)


def _outcome(reply: Recognition) -> tuple[object, ...]:
    faces = [(face.verdict, face.person, face.track, face.sighting and face.sighting.id) for face in reply.faces]
    return (*faces, reply.hint, reply.left_out)
