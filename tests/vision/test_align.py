from __future__ import annotations

import io
from typing import Any

import dlib
import numpy as np
import PIL.Image
import pytest

from gateway.errors import BadImage, StartError
from gateway.model import Box, PictureLimits, Purpose
from gateway.people.archive import MAX_CHIPS_BYTES
from gateway.vision.align import (
    CHIP_PADDINGS,
    CHIP_SIDE_PX,
    MAX_CHIPS,
    Aligner,
    Predictor68,
    cut_chips,
    decode_chips,
    encode_chips,
    name_5_points,
    name_68_points,
)
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.model_files import MODEL_FILES, model_file
from tests.examples import encoded
from tests.support import frame

FACES = {
    "obama_1": Box(386, 96, 551, 260),
    "biden_2": Box(294, 129, 460, 294),
    "hopper_1": Box(211, 162, 376, 327),
    "stranger_2": Box(244, 96, 409, 260),
}
"""Boxes of faces, as the gateway's detector finds them."""


@pytest.fixture(scope="module", params=FACES)
def face(request: pytest.FixtureRequest) -> tuple[Picture, Box]:
    return decode(frame(request.param), PictureLimits()), FACES[request.param]


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    return Aligner(model_file("landmarks_5"))


@pytest.fixture(scope="module")
def predictor() -> dlib.shape_predictor:
    return dlib.shape_predictor(str(model_file("landmarks_5")))


@pytest.fixture(scope="module")
def predictor_68() -> Predictor68:
    return Predictor68()


def rectangle(box: Box) -> dlib.rectangle:
    return dlib.rectangle(box.left, box.top, box.right, box.bottom)


def to_css(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.right, box.bottom, box.left


def test_aligner_returns_the_points_of_dlib(
    aligner: Aligner, predictor: dlib.shape_predictor, face: tuple[Picture, Box]
) -> None:
    picture, box = face
    points = aligner.points(picture, box)
    assert points.shape == (5, 2)
    assert points.dtype == np.float32
    assert points.tolist() == [[point.x, point.y] for point in predictor(picture, rectangle(box)).parts()]


def test_aligner_returns_the_points_in_the_documented_order(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    """``gateway.model.Points``: right eye, left eye, each from its outer corner; nose."""
    right_outer, right_inner, left_outer, left_inner, nose = aligner.points(*face).tolist()
    assert right_outer[0] > right_inner[0] > nose[0] > left_inner[0] > left_outer[0]
    assert nose[1] > max(right_outer[1], right_inner[1], left_outer[1], left_inner[1])


@pytest.mark.parametrize("purpose", ["stream", "enrolment"])
def test_chips_equal_those_of_dlib_pixel_for_pixel(
    aligner: Aligner, predictor: dlib.shape_predictor, face: tuple[Picture, Box], purpose: Purpose
) -> None:
    picture, box = face
    theirs = predictor(picture, rectangle(box))
    chips = cut_chips(picture, aligner.points(picture, box), purpose)
    assert chips.shape == (len(CHIP_PADDINGS[purpose]), 150, 150, 3)
    assert chips.dtype == np.uint8
    for chip, padding in zip(chips, CHIP_PADDINGS[purpose], strict=True):
        assert (chip == dlib.get_face_chip(picture, theirs, 150, padding)).all()


def test_chip_of_a_stream_is_the_middle_chip_of_an_enrolment(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    points = aligner.points(*face)
    assert (cut_chips(face[0], points, "stream")[0] == cut_chips(face[0], points, "enrolment")[1]).all()


def test_chips_with_more_padding_show_more(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    assert list(CHIP_PADDINGS["enrolment"]) == sorted(CHIP_PADDINGS["enrolment"])
    tight, _, wide = cut_chips(face[0], aligner.points(*face), "enrolment")
    assert (tight != wide).any()


@pytest.mark.parametrize("box", [Box(-40, -40, 90, 90), Box(800, 400, 900, 500), Box(2000, 2000, 2100, 2100)])
def test_face_outside_of_the_picture_has_chips(aligner: Aligner, box: Box) -> None:
    """Pixels outside of the picture are black."""
    picture = decode(frame("obama_1"), PictureLimits())
    chips = cut_chips(picture, aligner.points(picture, box), "enrolment")
    assert chips.shape == (3, 150, 150, 3)
    assert (chips == 0).any()


def test_points_of_a_very_wide_picture_are_exact(aligner: Aligner) -> None:
    """Single precision is exact enough for the widest picture."""
    picture = np.zeros((200, 65_500, 3), np.uint8)
    picture[20:184, 65_300:65_465] = decode(frame("obama_1"), PictureLimits())[96:260, 386:551]
    box = Box(65_300, 20, 65_465, 184)
    points = aligner.points(picture, box)
    near = aligner.points(np.ascontiguousarray(picture[:, 65_000:]), box.shifted_by(-65_000, 0))
    assert (points - near == [65_000, 0]).all()


@pytest.mark.parametrize("purpose", ["stream", "enrolment"])
def test_decoded_chips_are_nearly_the_encoded_ones(
    aligner: Aligner, face: tuple[Picture, Box], purpose: Purpose
) -> None:
    chips = cut_chips(face[0], aligner.points(*face), purpose)
    again = decode_chips(encode_chips(chips))
    assert again.shape == chips.shape
    assert again.dtype == np.uint8
    assert np.abs(again.astype(int) - chips).mean() < 2


def test_encoded_chips_of_noise_fit_into_an_archive() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (MAX_CHIPS, CHIP_SIDE_PX, CHIP_SIDE_PX, 3), np.uint8)
    assert len(encode_chips(noise)) < MAX_CHIPS_BYTES


def test_encoded_chips_are_an_ordinary_jpeg(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    """The colours are in the right order."""
    chips = cut_chips(face[0], aligner.points(*face), "enrolment")
    data = encode_chips(chips)
    assert len(data) < 60_000
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (150, 450))
        column = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(column - chips.reshape(450, 150, 3)).mean() < 2


def test_chips_hardly_change_when_encoded_again(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    once = decode_chips(encode_chips(cut_chips(face[0], aligner.points(*face), "enrolment")))
    assert np.abs(decode_chips(encode_chips(once)).astype(int) - once).mean() < 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"no JPEG", id="text"),
        pytest.param(b"\xff\xd8\xff", id="JPEG's first bytes"),
        pytest.param(encoded(PIL.Image.new("RGB", (150, 151)), "JPEG"), id="a row too many"),
        pytest.param(encoded(PIL.Image.new("RGB", (151, 150)), "JPEG"), id="a column too many"),
        pytest.param(encoded(PIL.Image.new("RGB", (300, 150)), "JPEG"), id="side by side"),
        pytest.param(frame("obama_1"), id="a photograph"),
    ],
)
def test_decode_chips_refuses_other_data(data: bytes) -> None:
    with pytest.raises(BadImage, match="chips"):
        decode_chips(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(5_000, 5_000), (CHIP_SIDE_PX, 100 * CHIP_SIDE_PX), (CHIP_SIDE_PX, 4 * CHIP_SIDE_PX)])
def test_size_of_chips_is_checked_before_they_are_decoded(size: tuple[int, int], kind: str) -> None:
    """Regression: a PNG of 419 kB in an archive of people took 4 s and 888 MB."""
    data = encoded(PIL.Image.new("L", size), kind)
    with pytest.raises(BadImage, match=f"chips .* damaged: the picture has {size[0]} x {size[1]} pixels"):
        decode_chips(data)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_decode_chips_refuses_truncated_data(aligner: Aligner, face: tuple[Picture, Box], share: float) -> None:
    """A decoder would fill the missing part with grey."""
    data = encode_chips(cut_chips(face[0], aligner.points(*face), "enrolment"))
    with pytest.raises(BadImage, match="chips"):
        decode_chips(data[: int(share * len(data))])


def test_decode_chips_accepts_grey_chips() -> None:
    grey = PIL.Image.new("L", (CHIP_SIDE_PX, CHIP_SIDE_PX), 200)
    assert decode_chips(encoded(grey, "JPEG")).shape == (1, 150, 150, 3)


def test_five_points_have_the_names_of_face_recognition(
    stock: Any, aligner: Aligner, face: tuple[Picture, Box]
) -> None:
    picture, box = face
    assert [name_5_points(aligner.points(picture, box))] == stock.face_landmarks(picture, [to_css(box)], "small")


def test_68_points_have_the_names_of_face_recognition(
    stock: Any, predictor_68: Predictor68, face: tuple[Picture, Box]
) -> None:
    picture, box = face
    assert [name_68_points(predictor_68.points(picture, box))] == stock.face_landmarks(picture, [to_css(box)], "large")


def test_named_points_are_python_integers() -> None:
    """JSON and CBOR accept only Python's own integers."""
    groups = name_5_points(np.array([[5.0, 6], [7, 8], [1, 2], [3, 4], [9, 10]], np.float32))
    assert groups == {"nose_tip": [(9, 10)], "left_eye": [(1, 2), (3, 4)], "right_eye": [(5, 6), (7, 8)]}
    assert {type(number) for group in groups.values() for point in group for number in point} == {int}


def test_68_point_model_is_loaded_at_its_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = Predictor68()
    monkeypatch.setitem(MODEL_FILES, "landmarks_68", ("missing.dat", ""))
    with pytest.raises(StartError, match=r"missing\.dat"):
        lazy.points(decode(frame("obama_1"), PictureLimits()), FACES["obama_1"])
