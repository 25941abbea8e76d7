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
"""As our detector finds them."""


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


def css(box: Box) -> tuple[int, int, int, int]:
    return box.top, box.right, box.bottom, box.left


def test_the_points_are_dlib_s(aligner: Aligner, predictor: dlib.shape_predictor, face: tuple[Picture, Box]) -> None:
    picture, box = face
    points = aligner.points(picture, box)
    assert points.shape == (5, 2)
    assert points.dtype == np.float32
    assert points.tolist() == [[point.x, point.y] for point in predictor(picture, rectangle(box)).parts()]


def test_the_points_come_in_the_order_that_the_model_of_data_tells(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    """``gateway.model.Points``: right eye, left eye, each from its outer corner; nose."""
    right_outer, right_inner, left_outer, left_inner, nose = aligner.points(*face).tolist()
    assert right_outer[0] > right_inner[0] > nose[0] > left_inner[0] > left_outer[0]
    assert nose[1] > max(right_outer[1], right_inner[1], left_outer[1], left_inner[1])


@pytest.mark.parametrize("purpose", ["stream", "enrolment"])
def test_chips_are_dlib_s_pixel_for_pixel(
    aligner: Aligner, predictor: dlib.shape_predictor, face: tuple[Picture, Box], purpose: Purpose
) -> None:
    picture, box = face
    theirs = predictor(picture, rectangle(box))
    chips = cut_chips(picture, aligner.points(picture, box), purpose)
    assert chips.shape == (len(CHIP_PADDINGS[purpose]), 150, 150, 3)
    assert chips.dtype == np.uint8
    for chip, padding in zip(chips, CHIP_PADDINGS[purpose], strict=True):
        assert (chip == dlib.get_face_chip(picture, theirs, 150, padding)).all()


def test_the_chip_of_a_stream_is_the_middle_one_of_an_enrolment(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    points = aligner.points(*face)
    assert (cut_chips(face[0], points, "stream")[0] == cut_chips(face[0], points, "enrolment")[1]).all()


def test_more_padding_shows_more(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    assert list(CHIP_PADDINGS["enrolment"]) == sorted(CHIP_PADDINGS["enrolment"])
    tight, _, wide = cut_chips(face[0], aligner.points(*face), "enrolment")
    assert (tight != wide).any()


@pytest.mark.parametrize("box", [Box(-40, -40, 90, 90), Box(800, 400, 900, 500), Box(2000, 2000, 2100, 2100)])
def test_a_face_out_of_the_picture_has_chips_all_the_same(aligner: Aligner, box: Box) -> None:
    """Black where nothing is."""
    picture = decode(frame("obama_1"), PictureLimits())
    chips = cut_chips(picture, aligner.points(picture, box), "enrolment")
    assert chips.shape == (3, 150, 150, 3)
    assert (chips == 0).any()


def test_points_far_away_are_exact(aligner: Aligner) -> None:
    """They are kept as single precision, which has room for the widest picture."""
    picture = np.zeros((200, 65_500, 3), np.uint8)
    picture[20:184, 65_300:65_465] = decode(frame("obama_1"), PictureLimits())[96:260, 386:551]
    box = Box(65_300, 20, 65_465, 184)
    points = aligner.points(picture, box)
    near = aligner.points(np.ascontiguousarray(picture[:, 65_000:]), box.shifted_by(-65_000, 0))
    assert (points - near == [65_000, 0]).all()


@pytest.mark.parametrize("purpose", ["stream", "enrolment"])
def test_packed_chips_come_back_nearly_as_they_were(
    aligner: Aligner, face: tuple[Picture, Box], purpose: Purpose
) -> None:
    chips = cut_chips(face[0], aligner.points(*face), purpose)
    again = decode_chips(encode_chips(chips))
    assert again.shape == chips.shape
    assert again.dtype == np.uint8
    assert np.abs(again.astype(int) - chips).mean() < 2


def test_chips_of_any_pixels_may_be_carried_in_an_archive() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (MAX_CHIPS, CHIP_SIDE_PX, CHIP_SIDE_PX, 3), np.uint8)
    assert len(encode_chips(noise)) < MAX_CHIPS_BYTES


def test_packed_chips_are_a_jpeg_that_anybody_can_open(aligner: Aligner, face: tuple[Picture, Box]) -> None:
    """With red where red was."""
    chips = cut_chips(face[0], aligner.points(*face), "enrolment")
    data = encode_chips(chips)
    assert len(data) < 60_000
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (150, 450))
        column = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(column - chips.reshape(450, 150, 3)).mean() < 2


def test_chips_that_are_packed_again_stay_what_they_are(aligner: Aligner, face: tuple[Picture, Box]) -> None:
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
def test_what_are_no_chips_is_refused(data: bytes) -> None:
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
def test_chips_cut_off_are_refused(aligner: Aligner, face: tuple[Picture, Box], share: float) -> None:
    """Rather than filled up with grey."""
    data = encode_chips(cut_chips(face[0], aligner.points(*face), "enrolment"))
    with pytest.raises(BadImage, match="chips"):
        decode_chips(data[: int(share * len(data))])


def test_grey_chips_are_chips() -> None:
    assert decode_chips(encoded(PIL.Image.new("L", (CHIP_SIDE_PX, CHIP_SIDE_PX), 200), "JPEG")).shape == (
        1,
        150,
        150,
        3,
    )


def test_the_five_points_have_face_recognition_s_names(stock: Any, aligner: Aligner, face: tuple[Picture, Box]) -> None:
    picture, box = face
    assert [name_5_points(aligner.points(picture, box))] == stock.face_landmarks(picture, [css(box)], "small")


def test_the_68_points_have_face_recognition_s_names(
    stock: Any, predictor_68: Predictor68, face: tuple[Picture, Box]
) -> None:
    picture, box = face
    assert [name_68_points(predictor_68.points(picture, box))] == stock.face_landmarks(picture, [css(box)], "large")


def test_points_are_told_in_whole_numbers() -> None:
    """Python's own, which JSON and CBOR take."""
    groups = name_5_points(np.array([[5.0, 6], [7, 8], [1, 2], [3, 4], [9, 10]], np.float32))
    assert groups == {"nose_tip": [(9, 10)], "left_eye": [(1, 2), (3, 4)], "right_eye": [(5, 6), (7, 8)]}
    assert {type(number) for group in groups.values() for point in group for number in point} == {int}


def test_the_68_point_model_is_not_opened_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = Predictor68()
    monkeypatch.setitem(MODEL_FILES, "landmarks_68", ("missing.dat", ""))
    with pytest.raises(StartError, match=r"missing\.dat"):
        lazy.points(decode(frame("obama_1"), PictureLimits()), FACES["obama_1"])
