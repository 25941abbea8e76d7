"""The form of a request to the face interface of DeepStack: texts and pictures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import Request

from gateway.errors import BadRequest
from gateway.rest.body import boundary_of, read_body
from gateway.rest.forms import Part
from gateway.rest.pictures import decode_if_base64

URL_ENCODED = "application/x-www-form-urlencoded"

MAX_URL_ENCODED_BYTES = 65_536
"""The most bytes of a form without pictures."""

KEY_FIELD = "api_key"

MAX_KEY_TRIES = 16
"""Places in a body that may be the field with the key, of which each is looked at."""

MAX_HEAD_BYTES = 1_024
"""The most bytes from the beginning of a part to the name in its headers."""

_BLANK_LINE = re.compile(rb"\n\r?\n")

_KEY_PART = re.compile(
    rb"[\s;]name=\"?api_key\"?[^\r\n]{0,200}\r?\n(?:[^\r\n]{1,200}\r?\n){0,4}\r?\n((?!--)[^\r\n]{0,200})\r?\n"
)
"""The end of a part's Content-Disposition, up to four further headers, and the content, which is one line.

Some clients leave out the line of an empty content. Then the next one begins with ``--``.
"""

_PICTURE_NAME = re.compile(r"(image|file|picture|photo)", re.IGNORECASE)
"""The beginning of the name of a picture whose part has neither a file name nor a type."""


@dataclass(frozen=True, slots=True)
class DeepStackForm:
    """The texts of a form by their names, and its pictures in their order, each with its name."""

    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[tuple[str, bytes]] = ()

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
    """Return the token in the form of a request, or "". Raise BadRequest.

    The form is not taken apart: that takes a second for 75 MB, and the sender of the request is not known yet.
    """
    if request.mimetype == URL_ENCODED:
        return _read_url_encoded(request).get(KEY_FIELD, "").strip()
    return find_key(request.get_data(cache=True), boundary_of(request))


def find_key(body: bytes, boundary: str | None = None) -> str:
    """Return the content of the part ``api_key`` in a body, or "" if there is none.

    ``boundary``: from the Content-Type; None takes it from the body's first line.
    """
    name, line = KEY_FIELD.encode(), _boundary_line(body, boundary)
    place = -1
    for _ in range(MAX_KEY_TRIES):
        place = body.find(name, place + 1)
        if place < 0:
            break
        # The name may have quotes. Before it stands ``name=``, after a space or a semicolon.
        for begin in (place - len(' name="'), place - len(" name=")):
            if begin >= 0 and (found := _KEY_PART.match(body, begin)) and _is_in_head(body, line, begin):
                return found[1].decode("latin-1").strip()
    return ""


def _boundary_line(body: bytes, boundary: str | None) -> bytes:
    """Return the line before each part of a form, or b"" if the body has none."""
    line = b"--" + boundary.encode("latin-1", "replace") if boundary else body[:MAX_HEAD_BYTES].partition(b"\n")[0]
    line = line.rstrip()
    return line if line.startswith(b"--") and line in body else b""


def _is_in_head(body: bytes, line: bytes, place: int) -> bool:
    """Return whether a place is in the headers of a part. A picture may contain the same text."""
    # Without boundaries the form is refused later. Then its error explains more than a missing key.
    start = body.rfind(line, max(0, place - MAX_HEAD_BYTES), place)
    return not line or (start >= 0 and _BLANK_LINE.search(body, start, place) is None)


def read_deepstack_form(request: Request) -> DeepStackForm:
    """Return the form of a request, which may have no body at all. Raise BadRequest or TooLarge."""
    if request.mimetype == URL_ENCODED:
        return DeepStackForm(_read_url_encoded(request))
    parts = read_body(request)
    if isinstance(parts, bytes | Mapping):
        if not parts:
            return DeepStackForm()
        raise BadRequest("the body is not a form: send multipart/form-data (curl -F image=@picture.jpg)")
    return DeepStackForm(
        {part.name: part.text() for part in parts if not _is_picture(part)},
        [(part.name, part.content) for part in parts if _is_picture(part)],
    )


def _read_url_encoded(request: Request) -> Mapping[str, str]:
    if (request.content_length or 0) > MAX_URL_ENCODED_BYTES:
        raise BadRequest("pictures need a form of the type multipart/form-data (curl -F image=@picture.jpg)")
    return request.form.to_dict()


def _is_picture(part: Part) -> bool:
    return part.is_file or _PICTURE_NAME.match(part.name) is not None
