"""Streams of JPEGs as cameras write them, with boundaries and lengths that lie."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

import pytest
from PIL import Image

from gateway.integrations.inputs.jpeg_splitter import JpegSplitter, TooLong
from tests.support import frame

MAX_BYTES = 1_000_000


def jpeg(**options: object) -> bytes:
    file = BytesIO()
    image = Image.open(BytesIO(frame("obama_1"))).resize((120, 90))
    image.save(file, "JPEG", **options)
    return file.getvalue()


def with_thumbnail() -> bytes:
    """Return a picture whose EXIF data contain a whole other picture."""
    thumbnail = jpeg(quality=20)
    exif = b"Exif\0\0" + thumbnail
    return b"\xff\xd8\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg()[2:]


PICTURES = {
    "baseline": jpeg(),
    "progressive": jpeg(progressive=True),
    "with restart markers": jpeg(restart_marker_blocks=2),
    "with a thumbnail": with_thumbnail(),
    "with a comment that looks like a boundary": jpeg(
        comment=b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd9"
    ),
    "with fill bytes": jpeg().replace(b"\xff\xda", b"\xff\xff\xff\xda", 1),
}


def split(stream: bytes, step: int | None = None) -> list[bytes]:
    splitter = JpegSplitter(MAX_BYTES)
    step = step or len(stream)
    return [each for start in range(0, len(stream), step) for each in splitter.feed(stream[start : start + step])]


def is_too_long(stream: Iterable[bytes]) -> bool:
    """Return whether the splitter gives a stream up, in which it finds no picture."""
    splitter = JpegSplitter(10_000)
    try:
        assert [each for data in stream for each in splitter.feed(data)] == []
    except TooLong:
        return True
    return False


def part(picture: bytes, head: bytes = b"") -> bytes:
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + head + b"\r\n" + picture + b"\r\n"


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("step", [1, 7, 1000, None])
def test_each_kind_of_picture_is_found_whole(kind: str, step: int | None) -> None:
    picture = PICTURES[kind]
    assert split(part(picture) * 3, step) == [picture] * 3


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"Content-Length: 5\r\n", id="too short a length"),
        pytest.param(b"Content-Length: 999999999\r\n", id="too long a length"),
        pytest.param(b"Content-Length: -1\r\n", id="negative length"),
        pytest.param(b"X-Comment: \xff\xd8 \xff\xd9\r\n", id="markers in a header"),
        pytest.param(b"X: " + b"a" * 10_000 + b"\r\n", id="long header"),
    ],
)
def test_headers_of_a_part_are_not_believed(head: bytes) -> None:
    pictures = list(PICTURES.values())
    assert split(b"".join(part(each, head) for each in pictures), 1000) == pictures


@pytest.mark.parametrize("between", [b"", b"\r\n", b"\xff", b"\xff\xff\xff\xd8", b"--frame", b"\0" * 5000])
def test_anything_may_stand_between_two_pictures(between: bytes) -> None:
    picture = PICTURES["baseline"]
    assert split(between + picture + between + picture + between) == [picture, picture]


@pytest.mark.parametrize("cut", [3, 30, 300, 1500, -1])
def test_picture_that_breaks_off_does_not_spoil_the_next_one(cut: int) -> None:
    picture = PICTURES["baseline"]
    assert split(part(picture[:cut]) + part(picture) + part(picture))[-1] == picture


def test_stream_without_pictures_ends_after_the_limit() -> None:
    assert is_too_long([b"<html>no camera</html>" * 10] * 100)


def test_picture_without_an_end_ends_after_the_limit() -> None:
    assert is_too_long([PICTURES["baseline"][:-2], *[b"a" * 1000] * 20])


def test_stream_of_beginnings_ends_after_the_limit() -> None:
    assert is_too_long([b"\xff\xd8\xff" * 100] * 100)


def test_stream_that_is_read_again_and_again_ends_after_the_limit() -> None:
    """Each of the many beginnings leads to the same long and broken rest."""
    beginnings = b"".join(b"\xff\xd8\xff\xe1" + (4000 - 6 * n).to_bytes(2, "big") for n in range(600))
    rest = b"\xff" * 5_000 + b"\x00"
    stream = beginnings.ljust(4000, b"\xff") + rest
    splitter = JpegSplitter(20_000)
    with pytest.raises(TooLong):
        list(splitter.feed(stream))
    # Most of it was not read at all.
    assert len(splitter._buffer) > 5_000


def test_memory_is_that_of_one_picture() -> None:
    splitter = JpegSplitter(MAX_BYTES)
    for _ in range(200):
        assert len(list(splitter.feed(part(PICTURES["baseline"])))) == 1
    assert len(splitter._buffer) < 100
