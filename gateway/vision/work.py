"""All that a worker process does with a picture."""

from __future__ import annotations

from gateway.metrics import Stopwatch
from gateway.model import Draw, Image, Look, LookAgain, PictureLimits, Seen, Task
from gateway.vision.annotate import annotate
from gateway.vision.decode import decode
from gateway.vision.engine import Engine
from gateway.vision.look import look, look_again
from gateway.vision.upright import rotate


def work(data: bytes, engine: Engine, task: Task, limits: PictureLimits) -> Seen:
    """Raises BadImage, TooLarge or Unsupported if ``data`` is no picture that this can be done with."""
    match task:
        case Look():
            return look(data, engine, task, limits)
        case LookAgain():
            return look_again(data, engine)
        case Draw():
            return _draw(data, task, limits)


def _draw(data: bytes, task: Draw, limits: PictureLimits) -> Seen:
    clock = Stopwatch()
    picture = rotate(decode(data, limits), task.rotate)
    drawn = annotate(picture, task.marks)
    clock.lap("annotate")
    height, width = picture.shape[:2]
    return Seen(Image(width, height, len(data)), (), clock.laps, drawn)
