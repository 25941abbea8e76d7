from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cbor2
import PIL.Image
import pytest

from gateway.errors import BadImage, BadRequest
from gateway.mqtt.codec.payload import read_fields
from gateway.mqtt.codec.pictures import read_picture
from tests.examples import encoded
from tests.support import frame

JPEG = b"\xff\xd8\xff\xe0 and so on"


def picture(kind: str) -> bytes:
    return encoded(PIL.Image.new("RGB", (8, 8)), kind)


@pytest.mark.parametrize("data", [frame("obama_1"), picture("JPEG"), picture("PNG"), picture("WEBP")])
def test_bare_picture_is_the_image(data: bytes) -> None:
    assert read_fields(data) == {"image": data}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(picture("GIF"), id="GIF"),
        pytest.param(b"\0\0\0\x20ftypheic" + bytes(20), id="HEIC"),
        pytest.param(b"%PDF-1.4\n", id="PDF"),
        pytest.param(b"\r\n" + JPEG, id="a picture behind a line end"),
        pytest.param(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + JPEG, id="part of an MJPEG stream"),
    ],
)
def test_file_of_another_kind_is_the_image_too(data: bytes) -> None:
    """The decoder names its kind, or finds the picture in it."""
    assert read_fields(data) == {"image": data}


@pytest.mark.parametrize("before", [b"", b"data:image/jpeg;base64,", b"\r\n"])
def test_bare_base64_is_the_image(before: bytes) -> None:
    assert read_fields(before + base64.b64encode(JPEG)) == {"image": JPEG}


def test_fields_of_json_are_returned_unchanged() -> None:
    assert read_fields(b'{"image": "/9j/", "landmarks": true}') == {"image": "/9j/", "landmarks": True}


def test_fields_of_cbor_are_returned_unchanged() -> None:
    fields = {"image1": JPEG, "image2": JPEG, "landmarks": True}
    assert read_fields(cbor2.dumps(fields)) == fields


@pytest.mark.parametrize("size", [0, 1, 23, 24, 300])
def test_cbor_map_of_a_few_fields_is_read(size: int) -> None:
    fields = {str(n): n for n in range(size)}
    assert read_fields(cbor2.dumps(fields)) == fields


def test_cbor_may_have_nested_fields() -> None:
    fields = {"image": JPEG, "battery": {"volts": 3.7, "cells": [1, 2, {"n": -1}]}, "on": True, "left": None}
    assert read_fields(cbor2.dumps(fields)) == fields
    assert read_fields(b"\xd9\xd9\xf7" + cbor2.dumps(fields)) == fields


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(cbor2.dumps({str(n): n for n in range(500)}), id="many fields"),
        pytest.param(cbor2.dumps({"a": list(range(1000))}), id="many values"),
        pytest.param(cbor2.dumps({"a": [[[[[[[[[]]]]]]]]]}), id="deep"),
        pytest.param(b"\xa1\x61a" * 999 + b"\x01", id="very deep"),
        pytest.param(b"\xa1\x61a\x9b\x7f" + b"\xff" * 7, id="an array that claims 9 EB"),
        pytest.param(b"\xbf\x61a\x01\xff", id="unknown length"),
        pytest.param(cbor2.dumps({"a": cbor2.CBORTag(35, "(a+)+b")}), id="a regular expression"),
        pytest.param(b"\xa1\x61a\xc4\x82\x01\xc2\x41\x01", id="a decimal, which may cost minutes"),
        pytest.param(b"\xa1\xc2\x41\x01\x01", id="a large number as key"),
        pytest.param(b"\xa2\x61a\x01\x61a\x02", id="a key twice"),
    ],
)
def test_cbor_that_costs_too_much_is_refused(payload: bytes) -> None:
    with pytest.raises(BadRequest, match="CBOR"):
        read_fields(payload)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", BadImage, id="nothing"),
        pytest.param(b"hello, this is a camera", BadImage, id="text"),
        pytest.param(b"[1, 2]", BadImage, id="JSON array"),
        pytest.param(b"camera", BadImage, id="a word that may be base64"),
        pytest.param(b'"', BadImage, id="JSON string cut off"),
        pytest.param(b"\0" * 100, BadImage, id="zeros"),
        pytest.param(b'{"image": ', BadRequest, id="JSON cut off"),
        pytest.param(b"\xa1\x65image\x44abc", BadRequest, id="CBOR cut off"),
        pytest.param(b"\xa1\x61a\x5b\x7f" + b"\xff" * 7, BadRequest, id="CBOR claiming 9 EB"),
        pytest.param(b"\xbb\x7f" + b"\xff" * 7, BadRequest, id="CBOR claiming as many fields"),
        pytest.param(b"\xa1\x61a" * 100_000, BadRequest, id="deep CBOR"),
        pytest.param(b"\xa1\x01\x02", BadRequest, id="CBOR key that is no text"),
        pytest.param(b"\xa1\x62\xc3\x28\x01", BadRequest, id="CBOR key that is no UTF-8"),
        pytest.param(b"\xa1\xa0\x01", BadRequest, id="CBOR key that is a map"),
        pytest.param(b"\xa1\x61a\xc0\x61x", BadRequest, id="CBOR with a date that is none"),
        pytest.param(b"\xa1\x61a\xd8\x23\x61(", BadRequest, id="CBOR with a bad regular expression"),
        pytest.param(b"\xa1\x61a\xff", BadRequest, id="CBOR with a break out of place"),
    ],
)
def test_unreadable_payload_is_refused(data: bytes, error: type[BadRequest]) -> None:
    with pytest.raises(BadRequest) as refused:
        read_fields(data)
    assert type(refused.value) is error


@pytest.mark.parametrize("begin", [b"GIF89a\x01\x00\xf7", b"\0\0\0\x1cftypheic\xe2", b"\xff\xd8", b"\r\n" + JPEG])
def test_binary_payload_is_left_to_the_decoder(begin: bytes) -> None:
    """The decoder names the formats that it does not accept."""
    assert read_fields(begin) == {"image": begin}


def test_error_for_text_shows_its_start() -> None:
    """Regression: the error did not show what came."""
    with pytest.raises(BadImage) as refused:
        read_fields(b"the camera's IP address is 192.168.1.7")
    assert str(refused.value) == (
        "expected a JPEG, PNG or WebP picture, or base64 of one, but the text begins with"
        ' "the camera\'s IP ": base64 has no "\'"'
    )


@pytest.mark.parametrize("name", ["base64url.txt", "base64_unpadded.txt"])
def test_text_of_the_shared_cases_is_a_picture(shared: Path, name: str) -> None:
    assert read_fields((shared / "cases" / name).read_bytes())["image"].startswith(b"\xff\xd8\xff")


def test_json_of_the_shared_cases_has_an_image(shared: Path) -> None:
    assert "image" in read_fields((shared / "cases" / "json_bom.json").read_bytes())


@pytest.mark.parametrize(
    "value", [JPEG, base64.b64encode(JPEG).decode(), "data:;base64," + base64.b64encode(JPEG).decode()]
)
def test_picture_is_bytes_or_text(value: object) -> None:
    assert read_picture(value) == JPEG


@pytest.mark.parametrize("value", [None, 1, 1.5, True, [JPEG], {"image": JPEG}])
def test_picture_of_another_type_is_refused(value: Any) -> None:
    with pytest.raises(BadRequest, match=r"expected a picture as bytes \(CBOR\) or base64 \(JSON\), got"):
        read_picture(value)


def test_web_page_is_left_to_the_decoder_that_names_it() -> None:
    page = b"<!DOCTYPE html><html><body>Not Found</body></html>"
    assert read_fields(page) == {"image": page}
