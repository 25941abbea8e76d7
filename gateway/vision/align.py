"""From a box to chips: the face turned upright and brought to one size, by five points about eyes and nose."""

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
"""Pixels, both ways: what dlib's descriptor network takes."""

CHIP_PADDINGS: Mapping[Purpose, tuple[float, ...]] = {"stream": (0.25,), "enrolment": (0.2, 0.25, 0.3)}
"""Of the chips that are taken of a face; a padding is the share of the face's own size that is left on every side.

Stock takes .25; the descriptors of all three together tell people apart better (benchmarks/accuracy.py).
"""

MAX_CHIPS = max(map(len, CHIP_PADDINGS.values()))
"""Chips of a face."""

MAX_CROP_SIDE_PX = 256
"""Pixels across a face that people look at."""

JPEG_OPTIONS = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
"""22 kB a face; descriptors made of it again are off by .005 (L2, mean; .012 at most), less than bfloat16 costs."""


class Aligner:
    """``model``: dlib's 5-point shape predictor."""

    def __init__(self, model: Path) -> None:
        self._predictor = dlib.shape_predictor(str(model))

    def points(self, picture: Picture, box: Box) -> Points:
        return _points(self._predictor, picture, box)


def cut_chips(picture: Picture, points: Points, purpose: Purpose) -> Picture:
    """The chips of a face: uint8, (1 or 3, 150, 150, 3), that of padding .25 in the middle.

    Cut by dlib from the full picture, so that they are the same, pixel for pixel, as those of face_recognition.
    """
    return np.stack([cut_chip(picture, points, CHIP_SIDE_PX, padding) for padding in CHIP_PADDINGS[purpose]])


def cut_chip(picture: Picture, points: Points, side: int, padding: float) -> Picture:
    """One chip, uint8, (side, side, 3)."""
    # dlib cuts by the points alone, so the rectangle stays empty.
    shape = dlib.full_object_detection(dlib.rectangle(), [dlib.point(int(x), int(y)) for x, y in points])
    chip: Picture = dlib.get_face_chip(picture, shape, side, padding)
    return chip


def encode_chips(chips: Picture) -> bytes:
    """One JPEG of the chips beneath each other."""
    column = chips.reshape(-1, CHIP_SIDE_PX, 3)[:, :, ::-1]
    return cv2.imencode(".jpg", column, JPEG_OPTIONS)[1].tobytes()


def encode_crop(picture: Picture, box: Box, turns: int = 0) -> bytes:
    """A JPEG of the face with a quarter about it, of CROP pixels at most, after quarter turns anticlockwise."""
    width, height = box.right - box.left, box.bottom - box.top
    around = Box(box.left - width // 4, box.top - height // 4, box.right + width // 4, box.bottom + height // 4)
    part = around.within(picture.shape[1], picture.shape[0])
    seen = np.rot90(picture[part.top : part.bottom, part.left : part.right, ::-1], turns)
    scale = min(1.0, MAX_CROP_SIDE_PX / max(seen.shape[:2]))
    size = max(1, round(seen.shape[1] * scale)), max(1, round(seen.shape[0] * scale))
    return cv2.imencode(".jpg", cv2.resize(seen, size, interpolation=cv2.INTER_AREA), JPEG_OPTIONS)[1].tobytes()


def decode_chips(data: bytes) -> Picture:
    """The chips again, uint8, (1 to MAX_CHIPS, 150, 150, 3), a little changed by the compression. Raises BadImage.

    An archive of people may have anything in place of chips: its size is checked before its pixels are decoded.
    """
    try:
        column = decode(data, PictureLimits(pixels=MAX_CHIPS * CHIP_SIDE_PX**2))
    except GatewayError as error:
        raise BadImage(f"the stored chips of a face are damaged: {error}") from None
    if column.shape[1] != CHIP_SIDE_PX or column.shape[0] % CHIP_SIDE_PX:
        size, side = f"{column.shape[1]} x {column.shape[0]}", CHIP_SIDE_PX
        raise BadImage(f"the stored chips of a face are damaged: {size} pixels are no column of {side} x {side}")
    return column.reshape(-1, CHIP_SIDE_PX, CHIP_SIDE_PX, 3)


def name_5_points(points: Points) -> Landmarks:
    """By face_recognition's names, in which the left eye is the one on our left."""
    *right_eye, left_outer, left_inner, nose = [(int(x), int(y)) for x, y in points]
    return {"nose_tip": [nose], "left_eye": [left_outer, left_inner], "right_eye": right_eye}


class Predictor68:
    """dlib's 68-point shape predictor, 100 MB: loaded when it is first asked for."""

    def __init__(self) -> None:
        self._predictor: dlib.shape_predictor | None = None

    def points(self, picture: Picture, box: Box) -> Points:
        """Shape (68, 2): x and y in pixels of the picture."""
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
"""The names and the points of ``face_recognition.face_landmarks``; each lip is a closed curve."""


def name_68_points(points: Points) -> Landmarks:
    """By face_recognition's names."""
    found = [(int(x), int(y)) for x, y in points]
    return {name: [found[n] for n in numbers] for name, numbers in POINT_GROUPS_68.items()}


def _points(predictor: dlib.shape_predictor, picture: Picture, box: Box) -> Points:
    parts = predictor(picture, dlib.rectangle(box.left, box.top, box.right, box.bottom)).parts()
    return np.array([(point.x, point.y) for point in parts], np.float32)
