from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.ImageFile
import pytest

from gateway.errors import BadImage
from gateway.model import Box, Descriptor, PictureLimits
from gateway.vision.chips import cut_chips
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Engine
from gateway.vision.engines.options import EngineOptions
from gateway.vision.engines.registry import open_engine
from tests.support import frame

OURS = ["obama_1", "stranger_2", "empty_1"]
SHARED = ["barack_obama/obama_small.jpg", "kit_harington/john2.jpeg"]


@pytest.fixture(scope="module", params=[*OURS, *SHARED])
def picture(request: pytest.FixtureRequest) -> Picture:
    if request.param in OURS:
        return decode(frame(request.param), PictureLimits())
    shared: Path = request.getfixturevalue("shared")
    return decode((shared / "portraits" / request.param).read_bytes(), PictureLimits())


@pytest.fixture(scope="module")
def boxes(engine: Engine, picture: Picture) -> list[Box]:
    return detect_faces(engine, picture)


def detect_faces(engine: Engine, picture: Picture) -> list[Box]:
    return [face.box for face in engine.detector.detect(picture, 56, None)]


def describe_faces(engine: Engine, picture: Picture, boxes: list[Box]) -> list[Descriptor]:
    return engine.embedder.embed(
        [cut_chips(picture, engine.predictor_5.points(picture, box), "stream") for box in boxes]
    )


def to_css(boxes: list[Box]) -> list[tuple[int, int, int, int]]:
    return [(box.top, box.right, box.bottom, box.left) for box in boxes]


def test_boxes_equal_those_of_face_recognition(stock: Any, picture: Picture, boxes: list[Box]) -> None:
    assert to_css(boxes) == stock.face_locations(picture)


def test_boxes_are_inside_the_picture(picture: Picture, boxes: list[Box]) -> None:
    height, width = picture.shape[:2]
    assert all(0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height for box in boxes)


def test_descriptors_are_those_of_face_recognition_with_unit_length(
    stock: Any, engine: Engine, picture: Picture, boxes: list[Box]
) -> None:
    raw = stock.face_encodings(picture, to_css(boxes))
    for ours, theirs in zip(describe_faces(engine, picture, boxes), raw, strict=True):
        assert ours.shape == (128,)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs / np.linalg.norm(theirs), rtol=0, atol=1e-6)


def test_stock_embedder_uses_the_middle_chip(engine: Engine) -> None:
    """A face of a stream has only this chip, and compared descriptors must be made alike."""
    picture = decode(frame("obama_1"), PictureLimits())
    (box,) = detect_faces(engine, picture)
    points = engine.predictor_5.points(picture, box)
    one, three = engine.embedder.embed([cut_chips(picture, points, "stream"), cut_chips(picture, points, "enrolment")])
    assert (one == three).all()


def test_box_at_the_edge_is_clipped_to_the_picture(engine: Engine) -> None:
    picture = decode(frame("obama_1"), PictureLimits())[:, 430:]
    (box,) = detect_faces(engine, np.ascontiguousarray(picture))
    assert box.left == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 3), (1, 65_500)])
def test_stock_detector_finds_no_face_in_a_tiny_picture(engine: Engine, shape: tuple[int, int]) -> None:
    assert detect_faces(engine, np.zeros((*shape, 3), np.uint8)) == []


def test_stock_embedder_accepts_no_faces(engine: Engine) -> None:
    assert engine.embedder.embed([]) == []


def test_cnn_boxes_equal_those_of_face_recognition(stock: Any) -> None:
    picture = np.ascontiguousarray(decode(frame("obama_1"), PictureLimits())[60:330, 330:600])
    boxes = detect_faces(open_engine(EngineOptions("dlib-cnn")), picture)
    assert len(boxes) == 1
    assert to_css(boxes) == stock.face_locations(picture, 0, "cnn")


def test_truncated_jpeg_is_refused_in_spite_of_face_recognition(engine: Engine) -> None:
    """The import of face_recognition sets Pillow's LOAD_TRUNCATED_IMAGES for the whole process."""
    assert PIL.ImageFile.LOAD_TRUNCATED_IMAGES is False
    data = frame("obama_1")
    with pytest.raises(BadImage, match="damaged"):
        decode(data[: len(data) // 2], PictureLimits())
