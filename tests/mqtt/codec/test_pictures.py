"""Names of pictures: the contract's, REST's, and those of other programs."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.errors import BadRequest
from gateway.mqtt.codec.pictures import take_pictures

ONE, TWO, THREE = (b"\xff\xd8\xff" + bytes([n]) * 60 for n in (1, 2, 3))


def text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


@pytest.mark.parametrize(
    ("fields", "pictures"),
    [
        ({"image": ONE}, (ONE,)),
        ({"image_data": text(ONE), "file_format": "jpg"}, (ONE,)),
        ({"file": text(ONE)}, (ONE,)),
        ({"picture": text(ONE)}, (ONE,)),
        ({"photo": ONE}, (ONE,)),
        ({"image_base64": text(ONE)}, (ONE,)),
        ({"file2": text(TWO), "file1": text(ONE)}, (ONE, TWO)),
        ({"image2": TWO, "image1": ONE}, (ONE, TWO)),
        ({"image": ONE, "image2": TWO}, (ONE, TWO)),
        ({"image_data1": text(ONE), "image2_data": text(TWO)}, (ONE, TWO)),
        ({"image10": THREE, "image9": TWO}, (TWO, THREE)),
        ({"images": [ONE, text(TWO)]}, (ONE, TWO)),
        ({"pictures": [text(ONE), text(TWO)], "image": THREE}, (THREE, ONE, TWO)),
        ({"files": [text(ONE)]}, (ONE,)),
        ({"battery": 3.7, "pictures": 3, "photo": True, "picture": None, "file": {}}, ()),
        ({"image": ONE, "file": "snap.jpg"}, (ONE,)),
        ({"file": "snap.jpg", "image_data": text(ONE)}, (ONE,)),
        ({"image_width": 640, "file_name": "a.jpg", "filename": "a.jpg", "profile": "day"}, ()),
    ],
)
def test_pictures_are_found_by_their_names(fields: dict[str, Any], pictures: tuple[bytes, ...]) -> None:
    assert take_pictures(fields) == pictures


def test_other_fields_stay_in_place() -> None:
    fields = {"image_data": text(ONE), "person": "ada", "file": "snap.jpg"}
    take_pictures(fields)
    assert fields == {"person": "ada", "file": "snap.jpg"}


@pytest.mark.parametrize("fields", [{"image": 1}, {"image": None}, {"image2": [ONE]}, {"images": 3}, {"images": [3]}])
def test_field_of_the_contract_that_holds_no_picture_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        take_pictures(fields)
