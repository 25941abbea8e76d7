"""The middle of a frame's way: decode, detect, embed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gateway.metrics import Stopwatch
from gateway.model import Box, Descriptor, FoundFace, Image, Landmarks, Look, Seen
from gateway.vision.decode import Picture, decode, shrink
from gateway.vision.engine import Engine

DETECT_PIXELS = 4_000_000
"""Larger pictures are shrunk for detection alone: the stock detector takes 0.7 s a megapixel and more, and memory."""


def look(data: bytes, engine: Engine, wanted: Look, max_pixels: int) -> Seen:
    """Raises BadImage, TooLarge or Unsupported if ``data`` is no picture that can be looked at."""
    clock = Stopwatch()
    picture = decode(data, max_pixels)
    clock.lap("decode")
    boxes = detect(picture, engine)
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


def detect(picture: Picture, engine: Engine) -> list[Box]:
    """Boxes in pixels of ``picture``, whatever size the detector looked at."""
    height, width = picture.shape[:2]
    factor = math.ceil(math.sqrt(width * height / DETECT_PIXELS))
    if factor <= 1:
        return engine.detect(picture)
    return [_enlarged(box, factor, width, height) for box in engine.detect(shrink(picture, factor))]


def _enlarged(box: Box, factor: int, width: int, height: int) -> Box:
    return Box(box.left * factor, box.top * factor, min(box.right * factor, width), min(box.bottom * factor, height))
