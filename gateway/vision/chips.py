"""Face chips: the face inside a box, turned upright and scaled to one size, by five points on eyes and nose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import dlib
import numpy as np

from gateway.errors import BadImage, GatewayError
from gateway.model import Box, PictureLimits, Points, Polygon, Purpose
from gateway.vision.blackout import black_out
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.windows import ChipWindow

CHIP_SIDE_PX = 150
"""Width and height of a chip, the input of dlib's descriptor network."""

CHIP_PADDINGS: Mapping[Purpose, tuple[float, ...]] = {"stream": (0.25,), "enrolment": (0.2, 0.25, 0.3)}
"""Paddings of the chips that are cut from one face. A padding is the margin on every side, as a share of the face.

The stock engine uses 0.25. The descriptors of all three paddings together tell people apart better
(benchmarks/accuracy.py).
"""

MAX_CHIPS = max(map(len, CHIP_PADDINGS.values()))
"""Largest number of chips of one face."""

MAX_CROP_SIDE_PX = 256
"""Longest side of the picture of a face that is shown to people."""

JPEG_OPTIONS = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
"""JPEG settings for stored chips: about 22 kB a face.

Descriptors computed again from stored chips differ by 0.005 (mean L2 distance; at most 0.012). That is less than the
rounding of bfloat16.
"""


def cut_chips(picture: Picture, points: Points, purpose: Purpose) -> Picture:
    """Return the chips of a face: uint8 RGB, (1 or 3, 150, 150, 3). The chip with padding 0.25 is in the middle."""
    # dlib cuts from the full picture, so the chips equal those of face_recognition pixel for pixel.
    return np.stack([cut_chip(picture, points, CHIP_SIDE_PX, padding) for padding in CHIP_PADDINGS[purpose]])


def cut_window(picture: Picture, points: Points, window: ChipWindow) -> Picture:
    """Return the window of a face: uint8 RGB, (1, side, side, 3)."""
    return _part(cut_chip(picture, points, window.chip_side, window.padding), window)


def window_of_chips(chips: Picture, window: ChipWindow) -> Picture:
    """Return the window of a face, cut from its stored chips: uint8 RGB, (1, side, side, 3).

    The parts of the window outside of the chips are black. A window of ArcFace lacks a strip of hair and forehead, an
    eighth of its height. A MobileFaceNet then missed 6.6 % of the pairs of one person in place of 5.3 %, at one false
    match in 10,000.
    """
    paddings = dict(zip(_paddings_of(chips), chips, strict=True))
    padding = min((each for each in paddings if each >= window.padding), default=max(paddings))
    side = round(window.chip_side * (1 + 2 * padding) / (1 + 2 * window.padding))
    chip = paddings[padding]
    if side != CHIP_SIDE_PX:
        chip = cv2.resize(chip, (side, side), interpolation=cv2.INTER_AREA if side < CHIP_SIDE_PX else cv2.INTER_LINEAR)
    before = (window.chip_side - side) // 2
    after = window.chip_side - side - before
    if before >= 0:
        whole = cv2.copyMakeBorder(chip, before, after, before, after, cv2.BORDER_CONSTANT)
    else:
        whole = chip[-before:after, -before:after]
    return _part(whole, window)


def _paddings_of(chips: Picture) -> tuple[float, ...]:
    """Return the paddings of stored chips, which are those of an enrolment, or of a stream in an old store."""
    return next(each for each in CHIP_PADDINGS.values() if len(each) == len(chips))


def _part(chip: Picture, window: ChipWindow) -> Picture:
    rows, columns = (slice(start, start + window.side) for start in (window.top, window.left))
    return chip[rows, columns][None]


def cut_chip(picture: Picture, points: Points, side: int, padding: float) -> Picture:
    """Return one chip: uint8 RGB, (side, side, 3)."""
    # dlib cuts by the points alone, so the rectangle can stay empty.
    shape = dlib.full_object_detection(dlib.rectangle(), [dlib.point(int(x), int(y)) for x, y in points])
    chip: Picture = dlib.get_face_chip(picture, shape, side, padding)
    return chip


def encode_chips(chips: Picture) -> bytes:
    """Return one JPEG with the chips below each other."""
    column = chips.reshape(-1, CHIP_SIDE_PX, 3)[:, :, ::-1]
    return cv2.imencode(".jpg", column, JPEG_OPTIONS)[1].tobytes()


def encode_crop(picture: Picture, box: Box, turns: int = 0, never: Sequence[Polygon] = ()) -> bytes:
    """Return a JPEG of the face with a margin of a quarter of the box on every side.

    ``turns``: quarter turns anticlockwise that make the face upright. ``never``: regions that are made black. The
    longest side has MAX_CROP_SIDE_PX at most.
    """
    width, height = box.right - box.left, box.bottom - box.top
    around = Box(box.left - width // 4, box.top - height // 4, box.right + width // 4, box.bottom + height // 4)
    picture_height, picture_width = picture.shape[:2]
    part = around.clipped_to(picture_width, picture_height)
    pixels = picture[part.top : part.bottom, part.left : part.right]
    seen = np.rot90(black_out(pixels, never, part, picture_width, picture_height)[:, :, ::-1], turns)
    scale = min(1.0, MAX_CROP_SIDE_PX / max(seen.shape[:2]))
    size = max(1, round(seen.shape[1] * scale)), max(1, round(seen.shape[0] * scale))
    return cv2.imencode(".jpg", cv2.resize(seen, size, interpolation=cv2.INTER_AREA), JPEG_OPTIONS)[1].tobytes()


def decode_chips(data: bytes) -> Picture:
    """Return the chips from a JPEG of ``encode_chips``: uint8 RGB, (1 to MAX_CHIPS, 150, 150, 3). Raises BadImage.

    The pixels differ slightly from the original ones because of the compression.
    """
    # An imported archive may hold any bytes in place of chips: the size is checked before the pixels are decoded.
    try:
        column = decode(data, PictureLimits(pixels=MAX_CHIPS * CHIP_SIDE_PX**2))
    except GatewayError as error:
        raise BadImage(f"the stored chips of a face are damaged: {error}") from None
    if column.shape[1] != CHIP_SIDE_PX or column.shape[0] % CHIP_SIDE_PX:
        size, side = f"{column.shape[1]} x {column.shape[0]}", CHIP_SIDE_PX
        raise BadImage(f"the stored chips of a face are damaged: expected {side} x {side} pixels a chip, found {size}")
    return column.reshape(-1, CHIP_SIDE_PX, CHIP_SIDE_PX, 3)
