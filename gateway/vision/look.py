"""The middle of a frame's way: decode, detect, embed."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.metrics import Stopwatch
from gateway.model import Descriptor, FoundFace, Image, Landmarks, Look, Seen
from gateway.vision.decode import decode
from gateway.vision.engine import Engine


def look(data: bytes, engine: Engine, wanted: Look, max_pixels: int) -> Seen:
    """Raises BadImage, TooLarge or Unsupported if ``data`` is no picture that can be looked at."""
    clock = Stopwatch()
    picture = decode(data, max_pixels)
    clock.lap("decode")
    boxes = engine.detect(picture)
    clock.lap("detect")
    descriptors: Sequence[Descriptor | None] = [None] * len(boxes)
    landmarks: Sequence[Landmarks | None] = [None] * len(boxes)
    if wanted.descriptors:
        descriptors = engine.embed(picture, boxes)
        clock.lap("embed")
    if wanted.landmarks:
        landmarks = engine.landmarks(picture, boxes)
        clock.lap("landmarks")
    height, width = picture.shape[:2]
    return Seen(Image(width, height, len(data)), tuple(map(FoundFace, boxes, descriptors, landmarks)), clock.laps)
