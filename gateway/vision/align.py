"""Face chips: the face inside a box, turned upright and scaled to one size, by five points on eyes and nose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import dlib
import numpy as np

from gateway.errors import BadImage, GatewayError
from gateway.model import Box, Landmarks, PictureLimits, Points, Purpose
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.model_files import model_file

CHIP_SIDE_PX = 150
"""Width and height of a chip, the input of dlib's descriptor network."""

CHIP_PADDINGS: Mapping[Purpose, tuple[float, ...]] = {"stream": (0.25,), "enrolment": (0.2, 0.25, 0.3)}
"""Paddings of the chips that are cut from one face. A padding is the margin on every side, as a share of the face.

The stock engine uses 0.25. The descriptors of all three paddings together tell people apart better
(benchmarks/accuracy.py).
"""

MAX_CHIPS = max(map(len, CHIP_PADDINGS.values()))
"""Most chips of one face."""

MAX_CROP_SIDE_PX = 256
"""Longest side of the picture of a face that is shown to people."""

JPEG_OPTIONS = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
"""JPEG settings for stored chips: about 22 kB a face.

Descriptors computed again from stored chips differ by 0.005 (mean L2 distance; at most 0.012). That is less than the
rounding of bfloat16.
"""


class Aligner:
    """dlib's 5-point shape predictor. ``model``: its file."""

    def __init__(self, model: Path) -> None:
        self._predictor = dlib.shape_predictor(str(model))

    def points(self, picture: Picture, box: Box) -> Points:
        """Return the corners of the eyes and the base of the nose, shape (5, 2): x and y in pixels of the picture."""
        return _points(self._predictor, picture, box)


def cut_chips(picture: Picture, points: Points, purpose: Purpose) -> Picture:
    """Return the chips of a face: uint8 RGB, (1 or 3, 150, 150, 3). The chip with padding 0.25 is in the middle."""
    # dlib cuts from the full picture, so the chips equal those of face_recognition pixel for pixel.
    return np.stack([cut_chip(picture, points, CHIP_SIDE_PX, padding) for padding in CHIP_PADDINGS[purpose]])


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


def encode_crop(picture: Picture, box: Box, turns: int = 0) -> bytes:
    """Return a JPEG of the face with a margin of a quarter of the box on every side.

    ``turns``: quarter turns anticlockwise that make the face upright. The longest side has MAX_CROP_SIDE_PX at most.
    """
    width, height = box.right - box.left, box.bottom - box.top
    around = Box(box.left - width // 4, box.top - height // 4, box.right + width // 4, box.bottom + height // 4)
    part = around.clipped_to(picture.shape[1], picture.shape[0])
    seen = np.rot90(picture[part.top : part.bottom, part.left : part.right, ::-1], turns)
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
        raise BadImage(f"the stored chips of a face are damaged: {size} pixels are no column of {side} x {side}")
    return column.reshape(-1, CHIP_SIDE_PX, CHIP_SIDE_PX, 3)


def name_5_points(points: Points) -> Landmarks:
    """Group five points by the names of face_recognition. Its left eye is on the left of the picture."""
    *right_eye, left_outer, left_inner, nose = [(int(x), int(y)) for x, y in points]
    return {"nose_tip": [nose], "left_eye": [left_outer, left_inner], "right_eye": right_eye}


class Predictor68:
    """dlib's 68-point shape predictor. Its model of 100 MB is loaded at the first call of ``points``."""

    def __init__(self) -> None:
        self._predictor: dlib.shape_predictor | None = None

    def points(self, picture: Picture, box: Box) -> Points:
        """Return the landmarks, shape (68, 2): x and y in pixels of the picture."""
        if self._predictor is None:
            self._predictor = dlib.shape_predictor(str(model_file("landmarks_68")))
        return _points(self._predictor, picture, box)


POINT_GROUPS_68: Mapping[str, tuple[int, ...]] = {
    "chin": (*range(17),),
    "left_eyebrow": (*range(17, 22),),
    "right_eyebrow": (*range(22, 27),),
    "nose_bridge": (*range(27, 31),),
    "nose_tip": (*range(31, 36),),
    "left_eye": (*range(36, 42),),
    "right_eye": (*range(42, 48),),
    "top_lip": (*range(48, 55), 64, 63, 62, 61, 60),
    "bottom_lip": (*range(54, 60), 48, 60, 67, 66, 65, 64),
}
"""Landmark groups and their point numbers, as in ``face_recognition.face_landmarks``. Each lip is a closed curve."""


def name_68_points(points: Points) -> Landmarks:
    """Group 68 points by the names of face_recognition."""
    found = [(int(x), int(y)) for x, y in points]
    return {name: [found[n] for n in numbers] for name, numbers in POINT_GROUPS_68.items()}


def _points(predictor: dlib.shape_predictor, picture: Picture, box: Box) -> Points:
    parts = predictor(picture, dlib.rectangle(box.left, box.top, box.right, box.bottom)).parts()
    return np.array([(point.x, point.y) for point in parts], np.float32)
