"""Base64 as devices and their programs send it."""

from __future__ import annotations

import base64
import json
import re
import tracemalloc

import pytest

from gateway.errors import BadImage
from gateway.formats.text_encodings import decode_base64, json_type_name, quote_start, trim

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"
"""A picture whose base64 has all characters of both alphabets, and padding."""
TEXT = base64.b64encode(PICTURE).decode()
URL_SAFE = base64.urlsafe_b64encode(PICTURE).decode()

DIALECTS = {
    "bare": TEXT,
    "without padding": TEXT.rstrip("="),
    "too much padding": TEXT.rstrip("=") + "====",
    "URL-safe": URL_SAFE,
    "URL-safe without padding": URL_SAFE.rstrip("="),
    "both alphabets": TEXT[:100] + URL_SAFE[100:],
    "NUL at the end": TEXT + "\0",
    "byte order mark": "\ufeff" + TEXT,
    "byte order mark and line end": "\ufeff\r\n" + TEXT,
    "leading newline": "\n" + TEXT,
    "white space around": " \t" + TEXT + " \r\n\0\0",
    "wrapped lines": base64.encodebytes(PICTURE).decode(),
    "wrapped lines of Windows": base64.encodebytes(PICTURE).decode().replace("\n", "\r\n"),
    "JSON string": json.dumps(TEXT),
    "JSON string with escaped slashes": json.dumps(TEXT).replace("/", "\\/"),
    "JSON string with escaped line ends": json.dumps(base64.encodebytes(PICTURE).decode()),
    "JSON string with line ends": '"' + base64.encodebytes(PICTURE).decode() + '"',
    "single quotes": f"'{TEXT}'",
    "bytes of Python": str(TEXT.encode()),
    "bytes of Python with line ends": str(base64.encodebytes(PICTURE)),
    "data URI": f"data:image/jpeg;base64,{TEXT}",
    "data URI without type": f"data:;base64,{TEXT}",
    "data URI with a character set": f"data:image/jpeg;charset=utf-8;base64,{TEXT}",
    "data URI in capitals": f"DATA:image/JPEG;BASE64,{TEXT}",
    "data URI URL-safe without padding": f"data:image/png;base64,{URL_SAFE.rstrip('=')}",
    "data URI with per cent": f"data:image/jpeg;base64,{TEXT.replace('+', '%2B').replace('=', '%3D')}",
    "data URI in a JSON string": json.dumps(f"data:image/jpeg;base64,{TEXT}"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_base64_is_read_in_the_dialects_of_devices(dialect: str) -> None:
    assert decode_base64(DIALECTS[dialect]) == PICTURE
    assert decode_base64(DIALECTS[dialect].encode()) == PICTURE


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_base64_in_utf_16_with_its_mark_is_read(encoding: str) -> None:
    """PowerShell writes such files."""
    mark = "" if encoding == "utf-16" else "\ufeff"
    assert decode_base64((mark + TEXT).encode(encoding)) == PICTURE


@pytest.mark.parametrize("size", range(8))
def test_base64_of_every_length_needs_no_padding(size: int) -> None:
    data = PICTURE[: 40 + size]
    assert decode_base64(base64.b64encode(data).rstrip(b"=")) == data


@pytest.mark.parametrize(
    "text",
    ["hello world!", "/9j/é", "data:image/jpeg,/9j/", "data:x", "é", "/9j/=/9j/", "/9j/9", '"/9j/', "'", '""', "null!"],
)
def test_other_text_is_refused(text: str) -> None:
    for each in (text, text.encode()):
        with pytest.raises(BadImage):
            decode_base64(each)


@pytest.mark.parametrize("data", [b"", b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"====", b"\xff\xfe\x00\xd8"])
def test_text_without_content_is_refused(data: bytes) -> None:
    with pytest.raises(BadImage):
        decode_base64(data)


def test_truncated_base64_is_named() -> None:
    with pytest.raises(BadImage, match="the base64 is cut off: 1365 characters"):
        decode_base64(TEXT[:1365])


def test_word_is_not_called_truncated_base64() -> None:
    with pytest.raises(BadImage, match=r"expected a JPEG.* the text begins with 'hello'"):
        decode_base64("hello")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/9j/ 4A AQSk ZJRgABAQAAAQ==", r"spaces in place of '\+'"),
        ("ffd8ffe0" * 20, "the text is hexadecimal"),
        ("-----BEGIN IMAGE-----\n/9j/4A==\n-----END IMAGE-----", "base64 has"),
        ("/9j/4A==/9j/", "'=' only at its end"),
        ("data:image/jpeg,%FF%D8", "the data URI is not in base64"),
        ("\0" * 1000, "the text has only white space and NULs"),
    ],
)
def test_message_names_the_fault_of_the_text(text: str, words: str) -> None:
    with pytest.raises(BadImage, match=words):
        decode_base64(text)


@pytest.mark.parametrize("wrapped", [" ".join(re.findall(".{1,76}", TEXT)), TEXT + " ", TEXT.replace("A", "A \n ", 9)])
def test_base64_wrapped_by_spaces_is_read(wrapped: str) -> None:
    assert decode_base64(wrapped) == PICTURE


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "null"), (True, "true or false"), (1.5, "a number"), ([], "a list"), ({}, "an object"), ("", "text")],
)
def test_kinds_of_values_are_named_as_in_json(value: object, words: str) -> None:
    assert json_type_name(value) == words


def test_white_space_in_base64_needs_little_memory() -> None:
    text = "aa " * 100_000
    tracemalloc.start()
    try:
        decode_base64(text)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * len(text)


def test_trim_changes_only_the_ends() -> None:
    assert trim(b"\n{ }\0") == b"{ }"
    assert trim(b"\xef\xbb\xbf{ }") == b"{ }"
    assert trim(b"a\0b") == b"a\0b"


@pytest.mark.parametrize(
    ("data", "text"), [(b"hello, this is a camera", "'hello, this is a'"), (b"\0\x01\xff", "bytes 00 01 ff")]
)
def test_quoted_start_is_text_or_hexadecimal(data: bytes, text: str) -> None:
    assert quote_start(data) == text
