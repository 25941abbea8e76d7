"""The kinds of files by their first bytes, and the messages about those that are not read."""

from __future__ import annotations

import io
import wave
import zipfile

import PIL.Image
import pytest

from gateway.errors import BadImage, Unsupported
from gateway.formats.file_kinds import find_picture, is_file, is_picture
from gateway.model import PictureLimits
from gateway.vision.decoding.decode import decode
from tests.examples import encoded
from tests.support import frame

PICTURE = PIL.Image.new("RGB", (32, 16), (200, 100, 50))
JPEG = frame("obama_1")


def box(brand: bytes, *others: bytes) -> bytes:
    """The first box of a HEIC, AVIF or MP4 file."""
    body = b"ftyp" + brand + bytes(4) + b"".join(others)
    return (len(body) + 4).to_bytes(4, "big") + body + bytes(2000)


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("obama.jpg", JPEG)
    return buffer.getvalue()


def film() -> bytes:
    """The head of an AVI film of JPEG pictures, which hold the bytes of JPEGs near their beginning."""
    return b"RIFF\0\0\0\x10AVI LIST" + bytes(200) + JPEG


def sound() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(100))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(box(b"heic", b"mif1", b"heic"), "HEIC", id="HEIC"),
        pytest.param(box(b"mif1", b"mif1", b"heic"), "HEIC", id="HEIC of any brand"),
        pytest.param(box(b"msf1", b"hevc"), "HEIC", id="HEIC of several pictures"),
        pytest.param(box(b"avif", b"mif1"), "AVIF", id="AVIF"),
        pytest.param(box(b"mif1", b"mif1", b"avif"), "AVIF", id="AVIF of any brand"),
        pytest.param(box(b"isom"), "MP4", id="MP4"),
        pytest.param(box(b"qt  "), "MP4 or QuickTime", id="QuickTime"),
        pytest.param(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "JPEG XL", id="JPEG XL"),
        pytest.param(b"\xff\x0a\xfa\x1f" + bytes(20), "JPEG XL", id="JPEG XL, bare"),
        pytest.param(encoded(PICTURE, "JPEG2000"), "JPEG 2000", id="JPEG 2000"),
        pytest.param(encoded(PICTURE, "JPEG2000", no_jp2=True), "JPEG 2000", id="JPEG 2000, bare"),
        pytest.param(encoded(PICTURE, "GIF"), "GIF", id="GIF"),
        pytest.param(encoded(PICTURE, "BMP"), "BMP", id="BMP"),
        pytest.param(encoded(PICTURE, "TIFF"), "TIFF", id="TIFF"),
        pytest.param(encoded(PICTURE, "TIFF", compression="jpeg"), "TIFF", id="TIFF that holds a JPEG"),
        pytest.param(encoded(PICTURE, "ICO"), "icon", id="ICO that holds a PNG"),
        pytest.param(encoded(PICTURE, "PPM"), "PNM", id="PPM"),
        pytest.param(encoded(PICTURE, "PDF"), "PDF", id="PDF that holds a JPEG"),
        pytest.param(archive(), "ZIP", id="ZIP that holds a JPEG"),
        pytest.param(film(), "AVI", id="film of JPEGs"),
        pytest.param(b"\0\0\0\1\x67\x42\x00\x1e" + bytes(20), "H.264", id="H.264"),
        pytest.param(b'<?xml version="1.0"?>\n<svg width="1">', "SVG", id="SVG"),
    ],
)
def test_other_kinds_of_files_are_named(data: bytes, kind: str) -> None:
    with pytest.raises(Unsupported, match=f"^{kind}.* is not supported, only JPEG, PNG and WebP: convert it"):
        find_picture(data)
    assert is_file(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "the picture is empty", id="empty"),
        pytest.param(b"hello", "are text, not a JPEG, PNG or WebP picture.*hello", id="text"),
        pytest.param(b"<!DOCTYPE html><html>404", "a web page .* check the address", id="web page"),
        pytest.param(b" \n<HTML><body>", "a web page", id="web page in capitals"),
        pytest.param("Fotos für Jürgen".encode() * 99, "the bytes are text, .* 46 6f 74 6f", id="UTF-8 text"),
        pytest.param(bytes(range(256)), "they begin with 00 01 02", id="bytes"),
        pytest.param(sound(), "they begin with 52 49 46 46", id="another RIFF"),
    ],
)
def test_bytes_of_no_known_kind_are_quoted(data: bytes, message: str) -> None:
    with pytest.raises(BadImage, match=message):
        find_picture(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "lead",
    [
        pytest.param(b"\r\n", id="line end"),
        pytest.param(b"\0", id="NUL"),
        pytest.param(b"\xef\xbb\xbf", id="byte order mark"),
        pytest.param(
            b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 67423\r\nX-Timestamp: 0.000000\r\n\r\n",
            id="part of an MJPEG stream",
        ),
    ],
)
def test_picture_behind_text_is_read(lead: bytes, kind: str) -> None:
    data = encoded(PICTURE, kind)
    assert (decode(lead + data, PictureLimits()) == decode(data, PictureLimits())).all()


def test_picture_behind_other_bytes_is_refused_with_its_position() -> None:
    """The picture may be a part of another file, like the preview picture of a document."""
    with pytest.raises(BadImage, match="a JPEG begins at byte 4, after bytes of another kind: send the picture alone"):
        find_picture(b"\x01\x02\x03\x04" + JPEG)


def test_picture_far_behind_is_not_searched_for() -> None:
    with pytest.raises(BadImage, match="text"):
        find_picture(b"\n" * 2000 + JPEG)


@pytest.mark.parametrize("data", [b"", b"{}", b"/9j/4AAQSkZJRg==", b"data:image/jpeg;base64,/9j/", b'"/9j/"', b"\0"])
def test_encoded_picture_is_no_file(data: bytes) -> None:
    assert not is_file(data)


def test_films_and_documents_are_no_pictures() -> None:
    assert not any(map(is_picture, (film(), archive(), encoded(PICTURE, "PDF"), box(b"isom"), b"hello", b"")))
    assert all(map(is_picture, (JPEG, encoded(PICTURE, "GIF"), box(b"heic")[:32], box(b"mif1", b"avif")[:32])))
