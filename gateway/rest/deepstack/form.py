"""The form of a request to the face interface of DeepStack: texts and pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flask import Request

from gateway.errors import BadRequest, TooLarge
from gateway.rest.body import boundary_of, read_body
from gateway.rest.forms import MAX_PARTS, Part
from gateway.rest.pictures import decode_if_base64

URL_ENCODED = "application/x-www-form-urlencoded"

MAX_URL_ENCODED_BYTES = 65_536
"""The most bytes of a form without pictures."""

KEY_FIELD = "api_key"

MAX_HEAD_BYTES = 1_024
"""The most bytes of the headers of a part that may be the one with the key."""

MAX_KEY_BYTES = 200
"""The most bytes of a key. A token has some 50."""

_LINE_END = re.compile(rb"[ \t]*\r?\n")
_HEAD_END = re.compile(rb"\n\r?\n")

_KEY_NAME = re.compile(rb"[\s;]name=(?:\"api_key\"|api_key(?=[\s;]|$))")
"""The name of the key in the headers of its part. Some clients leave out the quotes."""

_KEY = re.compile(rb"((?!--)[^\r\n]{0,%d})\r?\n" % MAX_KEY_BYTES)
"""The content of a part that has one line.

Some clients leave out the line of an empty content. Then the next one begins with ``--``.
"""

_PICTURE_NAME = re.compile(r"(image|file|picture|photo)", re.IGNORECASE)
"""The beginning of the name of a picture whose part has neither a file name nor a type."""


@dataclass(frozen=True, slots=True)
class DeepStackForm:
    """The texts of a form by their names, and its pictures in their order, each with its name.

    ``file_names``: of the pictures.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[tuple[str, bytes]] = ()
    file_names: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """Return a text without spaces around it, or "" if the form has none of that name."""
        return self.texts.get(name, "").strip()

    def userid(self) -> str:
        """Return the name of a person. Raise BadRequest."""
        if not (userid := self.text("userid")):
            raise BadRequest("the form has no userid: give the name of the person")
        return userid

    def min_confidence(self) -> float:
        """Return the lowest confidence of a face, 0 by default. Raise BadRequest."""
        # Programs write the number as people of their country do.
        given = self.text("min_confidence").replace(",", ".") or "0"
        try:
            number = float(given)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            raise BadRequest(f"min_confidence must be a number from 0 to 1, not {given[:20]!r}")
        return number

    def picture(self) -> bytes:
        """Return the picture ``image``, or the only one under another name. Raise BadRequest or BadImage."""
        named = [content for name, content in self.pictures if name == "image"]
        found = named or [content for _, content in self.pictures]
        if len(found) != 1:
            raise BadRequest(f"one picture is needed, in the file field image: the form has {len(found)} pictures")
        return decode_if_base64(found[0])

    def two_pictures(self) -> tuple[bytes, bytes]:
        """Return both pictures. Raise BadRequest or BadImage."""
        if len(self.pictures) != 2:
            found = len(self.pictures)
            raise BadRequest(f"two pictures are needed, in the file fields image1 and image2: the form has {found}")
        (_, one), (_, other) = self.pictures
        return decode_if_base64(one), decode_if_base64(other)

    def all_pictures(self) -> list[bytes]:
        """Return all pictures. Raise BadRequest or BadImage."""
        if not self.pictures:
            raise BadRequest("a picture is needed, in a file field of any name: the form has none")
        return [decode_if_base64(content) for _, content in self.pictures]


def read_key(request: Request) -> str:
    """Return the token in the form of a request, or "". Raise BadRequest or TooLarge.

    The form is not taken apart: that takes a second for 75 MB, and the sender of the request is not known yet.
    """
    if request.mimetype == URL_ENCODED:
        # Raises BadRequest for a large form.
        _read_url_encoded(request)
        return _single_key([each.strip() for each in request.form.getlist(KEY_FIELD)])
    return find_key(request.get_data(cache=True), boundary_of(request))


def find_key(body: bytes, boundary: str | None = None) -> str:
    """Return the content of the part ``api_key`` in a body, or "" if there is none. Raise BadRequest or TooLarge.

    ``boundary``: from the Content-Type; None takes it from the body's first line.
    """
    keys = []
    for start in _part_starts(body, _boundary_line(body, boundary)):
        head_end = _HEAD_END.search(body, start, start + MAX_HEAD_BYTES)
        if head_end is not None and _KEY_NAME.search(body, start, head_end.start()):
            found = _KEY.match(body, head_end.end())
            keys.append(found[1].decode("latin-1").strip() if found else "")
    return _single_key(keys)


def _single_key(keys: Sequence[str]) -> str:
    # Another program on the way may read another one of them.
    if len(keys) > 1:
        raise BadRequest(f"the form has {len(keys)} fields {KEY_FIELD}: send one, with the token")
    return keys[0] if keys else ""


def _boundary_line(body: bytes, boundary: str | None) -> bytes:
    """Return the line before each part of a form, or b"" if the body has none."""
    stated = b"--" + boundary.encode("latin-1", "replace") if boundary else b""
    # With a wrong boundary the form is refused later. Then its error explains more than a missing key.
    if not stated or stated not in body:
        stated = body[:MAX_HEAD_BYTES].partition(b"\n")[0].rstrip()
    return stated if stated.startswith(b"--") else b""


def _part_starts(body: bytes, line: bytes) -> Iterator[int]:
    """Give the places behind the lines before the parts. Raise TooLarge for more such lines than a form may have."""
    if not line:
        return
    separator = b"\n" + line
    place = -1 if body.startswith(line) else body.find(separator)
    # The last such line ends the form.
    for _ in range(MAX_PARTS + 1):
        start = place + len(separator)
        if _LINE_END.match(body, start):
            yield start
        elif body.startswith(b"--", start):
            return
        if (place := body.find(separator, start)) < 0:
            return
    raise TooLarge(f"the form has more than {MAX_PARTS} parts")


def read_deepstack_form(request: Request) -> DeepStackForm:
    """Return the form of a request, which may have no body at all. Raise BadRequest or TooLarge."""
    if request.mimetype == URL_ENCODED:
        return DeepStackForm(_read_url_encoded(request))
    parts = read_body(request)
    if isinstance(parts, bytes | Mapping):
        if not parts:
            return DeepStackForm()
        raise BadRequest("the body is not a form: send multipart/form-data (curl -F image=@picture.jpg)")
    pictures = [part for part in parts if _is_picture(part)]
    return DeepStackForm(
        {part.name: part.text() for part in parts if not _is_picture(part)},
        [(part.name, part.content) for part in pictures],
        tuple(part.file_name for part in pictures),
    )


def _read_url_encoded(request: Request) -> Mapping[str, str]:
    if (request.content_length or 0) > MAX_URL_ENCODED_BYTES:
        raise BadRequest("pictures need a form of the type multipart/form-data (curl -F image=@picture.jpg)")
    return request.form.to_dict()


def _is_picture(part: Part) -> bool:
    return part.is_file or _PICTURE_NAME.match(part.name) is not None
