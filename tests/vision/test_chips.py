from __future__ import annotations

import io

import dlib
import numpy as np
import PIL.Image
import pytest

from gateway.errors import BadImage
from gateway.model import Box, PictureLimits, Purpose
from gateway.people.archive import MAX_CHIPS_BYTES
from gateway.vision.chips import (
    CHIP_PADDINGS,
    CHIP_SIDE_PX,
    MAX_CHIPS,
    cut_chips,
    decode_chips,
    encode_chips,
)
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.landmarks import Predictor5
from gateway.vision.engines.model_files import model_file
from tests.examples import encoded
from tests.support import frame


def rectangle(box: Box) -> dlib.rectangle:
    return dlib.rectangle(box.left, box.top, box.right, box.bottom)


@pytest.fixture(scope="module")
def dlib_predictor() -> dlib.shape_predictor:
    return dlib.shape_predictor(str(model_file("landmarks_5")))


@pytest.mark.parametrize("purpose", ["stream", "enrolment"])
def test_chips_equal_those_of_dlib_pixel_for_pixel(
    predictor_5: Predictor5, dlib_predictor: dlib.shape_predictor, face: tuple[Picture, Box], purpose: Purpose
) -> None:
    picture, box = face
    theirs = dlib_predictor(picture, rectangle(box))
    chips = cut_chips(picture, predictor_5.points(picture, box), purpose)
    assert chips.shape == (len(CHIP_PADDINGS[purpose]), 150, 150, 3)
    assert chips.dtype == np.uint8
    for chip, padding in zip(chips, CHIP_PADDINGS[purpose], strict=True):
        assert (chip == dlib.get_face_chip(picture, theirs, 150, padding)).all()


def test_chip_of_a_stream_is_the_middle_chip_of_an_enrolment(
    predictor_5: Predictor5, face: tuple[Picture, Box]
) -> None:
    points = predictor_5.points(*face)
    assert (cut_chips(face[0], points, "stream")[0] == cut_chips(face[0], points, "enrolment")[1]).all()


def test_chips_with_more_padding_show_more(predictor_5: Predictor5, face: tuple[Picture, Box]) -> None:
    assert list(CHIP_PADDINGS["enrolment"]) == sorted(CHIP_PADDINGS["enrolment"])
    tight, _, wide = cut_chips(face[0], predictor_5.points(*face), "enrolment")
    assert (tight != wide).any()


@pytest.mark.parametrize("box", [Box(-40, -40, 90, 90), Box(800, 400, 900, 500), Box(2000, 2000, 2100, 2100)])
def test_face_outside_of_the_picture_has_chips(predictor_5: Predictor5, box: Box) -> None:
    """Pixels outside of the picture are black."""
    picture = decode(frame("obama_1"), PictureLimits())
    chips = cut_chips(picture, predictor_5.points(picture, box), "enrolment")
    assert chips.shape == (3, 150, 150, 3)
    assert (chips == 0).any()


@pytest.mark.parametrize("purpose", ["stream", "enrolment"])
def test_decoded_chips_are_nearly_the_encoded_ones(
    predictor_5: Predictor5, face: tuple[Picture, Box], purpose: Purpose
) -> None:
    chips = cut_chips(face[0], predictor_5.points(*face), purpose)
    again = decode_chips(encode_chips(chips))
    assert again.shape == chips.shape
    assert again.dtype == np.uint8
    assert np.abs(again.astype(int) - chips).mean() < 2


def test_encoded_chips_of_noise_fit_into_an_archive() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (MAX_CHIPS, CHIP_SIDE_PX, CHIP_SIDE_PX, 3), np.uint8)
    assert len(encode_chips(noise)) < MAX_CHIPS_BYTES


def test_encoded_chips_are_an_ordinary_jpeg(predictor_5: Predictor5, face: tuple[Picture, Box]) -> None:
    """The colours are in the right order."""
    chips = cut_chips(face[0], predictor_5.points(*face), "enrolment")
    data = encode_chips(chips)
    assert len(data) < 60_000
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (150, 450))
        column = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(column - chips.reshape(450, 150, 3)).mean() < 2


def test_chips_hardly_change_when_encoded_again(predictor_5: Predictor5, face: tuple[Picture, Box]) -> None:
    once = decode_chips(encode_chips(cut_chips(face[0], predictor_5.points(*face), "enrolment")))
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
def test_decode_chips_refuses_truncated_data(predictor_5: Predictor5, face: tuple[Picture, Box], share: float) -> None:
    """A decoder would fill the missing part with grey."""
    data = encode_chips(cut_chips(face[0], predictor_5.points(*face), "enrolment"))
    with pytest.raises(BadImage, match="chips"):
        decode_chips(data[: int(share * len(data))])


def test_decode_chips_accepts_grey_chips() -> None:
    grey = PIL.Image.new("L", (CHIP_SIDE_PX, CHIP_SIDE_PX), 200)
    assert decode_chips(encoded(grey, "JPEG")).shape == (1, 150, 150, 3)
