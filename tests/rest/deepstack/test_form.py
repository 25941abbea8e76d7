"""The forms of DeepStack's clients: texts and pictures."""

from __future__ import annotations

import pytest
from flask import Flask, request

from gateway.errors import BadRequest, TooLarge
from gateway.rest.deepstack.form import (
    MAX_URL_ENCODED_BYTES,
    URL_ENCODED,
    DeepStackForm,
    find_key,
    read_deepstack_form,
    read_key,
)
from gateway.rest.forms import MAX_PARTS
from tests.support import frame

PICTURE = frame("obama_1")


def read(body: bytes, content_type: str) -> DeepStackForm:
    with Flask(__name__).test_request_context("/", method="POST", data=body, content_type=content_type):
        return read_deepstack_form(request)


def form(*parts: tuple[str, bytes, str]) -> DeepStackForm:
    """Return the form with parts of a name, a content and further words of the Content-Disposition."""
    body = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"{words}\r\n\r\n'.encode() + content + b"\r\n"
        for name, content, words in parts
    )
    return read(body + b"--x--\r\n", "multipart/form-data; boundary=x")


def texts(**given: str) -> DeepStackForm:
    return DeepStackForm(given)


def test_texts_and_pictures_are_read_in_any_order() -> None:
    found = form(("image", PICTURE, '; filename="image"'), ("api_key", b" key ", ""), ("userid", "Zoë".encode(), ""))
    assert (found.text("api_key"), found.userid(), found.picture()) == ("key", "Zoë", PICTURE)


def test_picture_needs_no_filename() -> None:
    assert form(("image", PICTURE, "")).picture() == PICTURE


def test_single_picture_may_have_any_name() -> None:
    assert form(("upload", PICTURE, '; filename="a.jpg"'), ("min_confidence", b"0.4", "")).picture() == PICTURE


def test_picture_named_image_is_taken_among_several() -> None:
    found = form(("a", b"\xff\xd8other", '; filename="a"'), ("image", PICTURE, '; filename="b"'))
    assert found.picture() == PICTURE
    assert found.all_pictures() == [b"\xff\xd8other", PICTURE]


def test_two_pictures_may_have_any_names() -> None:
    found = form(("images1", b"\xff\xd8one", '; filename="1"'), ("images2", b"\xff\xd8two", '; filename="2"'))
    assert found.two_pictures() == (b"\xff\xd8one", b"\xff\xd8two")


@pytest.mark.parametrize(
    ("content_type", "body"), [(URL_ENCODED, b"api_key=k+y&userid=Ada%20L"), (f"{URL_ENCODED}; charset=utf-8", b"a=1")]
)
def test_form_without_pictures_may_be_url_encoded(content_type: str, body: bytes) -> None:
    found = read(body, content_type)
    assert dict(found.texts) in ({"api_key": "k y", "userid": "Ada L"}, {"a": "1"})
    assert found.pictures == ()


def test_request_without_a_body_is_an_empty_form() -> None:
    assert read(b"", "application/octet-stream") == DeepStackForm()


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (PICTURE, "image/jpeg", "not a form"),
        (b'{"image": "aGk="}', "application/json", "not a form"),
        (b"a=" + b"x" * MAX_URL_ENCODED_BYTES, URL_ENCODED, "multipart/form-data"),
    ],
    ids=["picture", "json", "size"],
)
def test_other_bodies_are_refused(body: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        read(body, content_type)


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; name="api_key"',
        "Content-Disposition: form-data; name=api_key",
        'Content-Disposition: form-data; name="api_key"\r\nContent-Type: text/plain; charset=utf-8',
        "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=api_key",
        'Content-Disposition: form-data;name="api_key"; x="y"',
        'Content-Disposition: form-data; x="y"; name=api_key; z=1',
    ],
)
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_key_is_found_without_reading_the_form(head: str, newline: str) -> None:
    parts = [
        'Content-Disposition: form-data; name="image"; filename="api_key"\r\n\r\n\xff\xd8 api_key',
        f"{head}\r\n\r\nfacegate_x ",
        'Content-Disposition: form-data; name="userid"\r\n\r\nAda',
    ]
    body = "".join(f"--x\r\n{part}\r\n" for part in parts) + "--x--\r\n"
    assert find_key(body.replace("\r\n", newline).encode("latin-1")) == "facegate_x"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"api_key",
        b' name="api_key"\r\n\r\n' + b"x" * 300,
        b'filename="api_key"\r\n\r\nx\r\n',
        b' name="my_api_key"\r\n\r\nx\r\n',
        b"api_key" * 100 + b' name="api_key"\r\n\r\nx\r\n',
        b'--x\r\nA: b; name="api_key2"\r\n\r\nfacegate_x\r\n--x--\r\n',
        b"--x\r\nA: b; name=api_key2\r\n\r\nfacegate_x\r\n--x--\r\n",
        b'--x\r\nA: b; name="api_key"\r\n\r\n' + b"x" * 300 + b"\r\n--x--\r\n",
        b'--x\r\nA: b; name="a"\r\n\r\n1\r\n--x--\r\nA: b; name="api_key"\r\n\r\nfacegate_x\r\n',
        b'--x\r\nA: b; name="file"\r\n\r\n--xy\r\nA: b; name="api_key"\r\n\r\nfacegate_x\r\n--x--\r\n',
    ],
)
def test_body_without_a_key_has_none(body: bytes) -> None:
    assert find_key(body) == ""


def part(name: str, content: str) -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{content}\r\n'.encode()


@pytest.mark.parametrize("boundary", [None, "x", "y"])
@pytest.mark.parametrize("name", ["note", "my api_key", "api_key_of_yesterday"])
def test_key_is_found_behind_texts_that_contain_its_name(name: str, boundary: str | None) -> None:
    """Regression: texts with this word hid the key behind them."""
    texts = part(name, "api_key " * 1_000 + ' name="api_key"') * (MAX_PARTS - 1)
    assert find_key(texts + part("api_key", "facegate_x") + b"--x--\r\n", boundary) == "facegate_x"


@pytest.mark.parametrize("count", [2, MAX_PARTS])
def test_form_with_several_keys_is_refused(count: int) -> None:
    """Regression: 16 fields with this name hid the key behind them, and of two the first one was taken."""
    with pytest.raises(BadRequest, match=f"the form has {count} fields api_key: send one, with the token"):
        find_key(part("api_key", "facegate_x") * count + b"--x--\r\n")
    with (
        Flask(__name__).test_request_context(
            "/", method="POST", data="&".join(["api_key=facegate_x"] * count), content_type=URL_ENCODED
        ),
        pytest.raises(BadRequest, match=f"the form has {count} fields api_key"),
    ):
        read_key(request)


def test_form_with_too_many_parts_is_refused_before_its_sender_is_known() -> None:
    with pytest.raises(TooLarge, match="more than 16 parts"):
        find_key(part("note", "") * (MAX_PARTS + 1) + part("api_key", "facegate_x") + b"--x--\r\n")
    with pytest.raises(TooLarge):
        find_key(b"--x\n" * 1_000_000)


@pytest.mark.parametrize("boundary", [None, "x"])
def test_key_inside_of_a_picture_is_none(boundary: str | None) -> None:
    """Regression: a picture with such a text made its sender fail, and after ten of them the sender's address."""
    picture = b'\xff\xd8 name="api_key"\r\n\r\nfacegate_of_somebody_else\r\n'
    image = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' + picture + b"\r\n"
    key = b'--x\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nfacegate_x\r\n'
    assert find_key(image + key + b"--x--\r\n", boundary) == "facegate_x"
    assert find_key(image + b"--x--\r\n", boundary) == ""


@pytest.mark.parametrize(("given", "number"), [("", 0), ("0.45", 0.45), ("0,45", 0.45), (" 1 ", 1), ("0", 0)])
def test_min_confidence(given: str, number: float) -> None:
    assert texts(min_confidence=given).min_confidence() == number


@pytest.mark.parametrize("given", ["x", "nan", "inf", "-0.1", "1.01", "45"])
def test_min_confidence_that_is_no_number_from_0_to_1_is_refused(given: str) -> None:
    with pytest.raises(BadRequest, match=f"a number from 0 to 1, not '{given}'"):
        texts(min_confidence=given).min_confidence()


def test_missing_fields_are_named() -> None:
    for read_field, reason in (
        (DeepStackForm().userid, "userid"),
        (DeepStackForm().picture, "field image"),
        (DeepStackForm().two_pictures, "image1 and image2"),
        (DeepStackForm().all_pictures, "file field of any name"),
    ):
        with pytest.raises(BadRequest, match=reason):
            read_field()
