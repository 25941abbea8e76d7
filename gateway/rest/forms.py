"""Forms (multipart/form-data, RFC 7578), read as bytes.

Flask's own ``request.form`` decodes a part without ``filename`` as text, which destroys a picture. It also replaces
the bytes of a name that is not UTF-8. Small devices leave out ``filename``, and old clients send Latin-1. The decoder
of Werkzeug, on which Flask is built, gives the original bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Field, File, MultipartDecoder, State

from gateway.errors import BadRequest, TooLarge
from gateway.formats.file_names import shown_file_name

MAX_PARTS = 16
MAX_BOUNDARY_BYTES = 200
"""RFC 2046 allows 70. Some clients send more."""
MAX_HEADER_BYTES = 8_192
"""The most bytes of one part's headers."""
MAX_HEADERS = 16
"""The most headers of the first part before its Content-Disposition."""
MAX_QUOTED_BYTES = 40
"""Bytes of a form that an error message quotes."""

_FIRST_LINE = re.compile(rb"--([^\r\n]{1,%d})\r?\n" % MAX_BOUNDARY_BYTES)
_BEGIN = re.compile(
    rb"--[^\r\n]{1,%d}\r?\n(?:[^\r\n]{1,%d}\r?\n){0,%d}?content-disposition:"
    % (MAX_BOUNDARY_BYTES, MAX_HEADER_BYTES, MAX_HEADERS),
    re.IGNORECASE,
)
_CHARSET = re.compile(r"charset\s*=\s*\"?(iso-8859-1|latin-?1|windows-1252)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a form. ``filename``: None if the part has none. ``kind``: the part's Content-Type, or empty."""

    name: str
    filename: str | None
    kind: str
    content: bytes

    @property
    def is_file(self) -> bool:
        """True if the part declares itself as a file."""
        return self.filename is not None or not (self.kind or "text/").lower().startswith("text/")

    @property
    def file_name(self) -> str:
        """The name of the file as messages show it, or ""."""
        return shown_file_name(self.filename)

    def text(self) -> str:
        """Return the content as text, in UTF-8 or in the old character set that the part declares. Raise BadRequest."""
        try:
            return self.content.decode("cp1252" if _CHARSET.search(self.kind) else "utf-8")
        except UnicodeDecodeError:
            raise BadRequest(f"the {self.name} is not UTF-8: it is {_quote(self.content)}") from None


class _Decoder(MultipartDecoder):
    """Werkzeug's decoder, with a limit for headers. File names may be in Latin-1, as old browsers send them."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        if len(data) > MAX_HEADER_BYTES:
            raise BadRequest(f"a part of the form has more than {MAX_HEADER_BYTES} bytes of headers")
        try:
            data.decode()
        except UnicodeDecodeError:
            data = data.decode("latin-1").encode()
        return super()._parse_headers(data)


def looks_like_form(body: bytes) -> bool:
    """Return whether a body of any Content-Type begins like a form: its first part has a Content-Disposition."""
    # A part of an MJPEG stream has none: such a body is a picture.
    return _BEGIN.match(body) is not None


def read_form(body: bytes, boundary: str | None) -> Sequence[Part]:
    """Return the parts of a form. ``boundary``: from the Content-Type; None takes it from the body's first line.

    Raise BadRequest for a malformed or truncated form, and TooLarge for too many parts.
    """
    decoder = _Decoder(_boundary(body, boundary), max_parts=MAX_PARTS)
    decoder.receive_data(body)
    decoder.receive_data(None)
    parts: list[Part] = []
    head: Field | File | None = None
    content = b""
    try:
        while not _is_at_end(decoder):
            event = decoder.next_event()
            if isinstance(event, Field | File):
                head, content = event, b""
            elif isinstance(event, Data) and head is not None:
                content += event.data
                if not event.more_data:
                    parts.append(_part(head, content))
    except RequestEntityTooLarge:
        raise TooLarge(f"the form has more than {MAX_PARTS} parts") from None
    except ValueError:
        raise _malformed(decoder, body, len(parts) + 1) from None
    return parts


def _is_at_end(decoder: MultipartDecoder) -> bool:
    # Some clients end a form with the line that separates parts. Then nothing follows it.
    return decoder.state in (State.EPILOGUE, State.COMPLETE) or (
        decoder.state == State.PART and not decoder.buffer.strip()
    )


def _boundary(body: bytes, boundary: str | None) -> bytes:
    if boundary:
        return boundary.encode("latin-1", "replace")
    first = _FIRST_LINE.match(body)
    if first is None:
        raise BadRequest(
            "the Content-Type multipart/form-data has no boundary, and the form does not begin with one: let your HTTP"
            " library set the Content-Type"
        )
    return first[1].rstrip()


def _part(head: Field | File, content: bytes) -> Part:
    if not head.name:
        raise ValueError("no name")
    filename = head.filename if isinstance(head, File) else None
    return Part(head.name, filename, head.headers.get("Content-Type", ""), content)


def _malformed(decoder: MultipartDecoder, body: bytes, number: int) -> BadRequest:
    """Return the error for a form that cannot be read. ``number``: the part with the fault, from 1."""
    closing_line = b"--" + decoder.boundary + b"--"
    if decoder.state == State.PREAMBLE:
        return BadRequest(
            f"the boundary {_quote(decoder.boundary)} of the Content-Type does not occur in the form, which begins"
            f" with {_quote(body)}: send the boundary that the form uses"
        )
    if closing_line not in body:
        return BadRequest(
            f"the form is cut off in part {number}, after {len(body)} bytes: its last line {_quote(closing_line)} is"
            " missing (a Content-Length that is too small, or a connection that broke)"
        )
    return BadRequest(
        f"part {number} of the form has no header Content-Disposition with a name, or no blank line after its headers:"
        ' send Content-Disposition: form-data; name="file"'
    )


def _quote(text: bytes) -> str:
    return repr(text[:MAX_QUOTED_BYTES])[1:]
