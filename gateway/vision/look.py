"""The middle of a frame's way: decode, detect, align, embed."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.metrics import Stopwatch
from gateway.model import Box, Descriptor, FoundFace, Image, LandmarkCount, Landmarks, Look, PictureLimits, Points, Seen
from gateway.vision.align import CHIP, crop, cut, groups_5, pack, unpack
from gateway.vision.decode import Picture, decode
from gateway.vision.engine import Engine
from gateway.vision.quality import quality
from gateway.vision.regions import search


def look(data: bytes, engine: Engine, wanted: Look, limits: PictureLimits) -> Seen:
    """Raises BadImage, TooLarge or Unsupported if ``data`` is no picture that can be looked at."""
    clock = Stopwatch()
    picture = decode(data, limits)
    clock.lap("decode")
    boxes = search(picture, wanted.search, engine.detector)
    clock.lap("detect")
    height, width = picture.shape[:2]
    image = Image(width, height, len(data))
    if wanted.sole and len(boxes) > 1:  # a collage of a thousand is not worth describing
        return Seen(image, tuple(FoundFace(box.within(width, height)) for box in boxes), clock.laps)
    points = [engine.aligner.points(picture, box) for box in boxes]
    chips = [cut(picture, each, wanted.descriptors or "stream") for each in points]
    clock.lap("align")
    descriptors: Sequence[Descriptor | None] = [None] * len(boxes)
    if wanted.descriptors:
        descriptors = engine.embedder.embed(chips)
        clock.lap("embed")
    faces = tuple(
        FoundFace(
            box.within(width, height),
            descriptor,
            _landmarks(picture, engine, wanted.landmarks, box, five),
            quality(picture, box, five, aligned[len(aligned) // 2]),
            pack(aligned) if wanted.chips else None,
            crop(picture, box) if wanted.chips else None,
        )
        for box, descriptor, five, aligned in zip(boxes, descriptors, points, chips, strict=True)
    )
    clock.lap("details")
    return Seen(image, faces, clock.laps)


def look_again(chips: bytes, engine: Engine) -> Seen:
    """A new descriptor of a known face, from the chips that were kept. Raises BadImage."""
    clock = Stopwatch()
    (descriptor,) = engine.embedder.embed([unpack(chips)])
    clock.lap("embed")
    face = FoundFace(Box(0, 0, CHIP, CHIP), descriptor, chips=chips)
    return Seen(Image(CHIP, CHIP, len(chips)), (face,), clock.laps)


def _landmarks(picture: Picture, engine: Engine, count: LandmarkCount, box: Box, points: Points) -> Landmarks | None:
    match count:
        case 0:
            return None
        case 5:
            return groups_5(points)
        case 68:
            return engine.predictor_68.landmarks(picture, box)
