"""Forms (multipart/form-data, RFC 7578), read as bytes.

Werkzeug decodes a part that has no ``filename`` as text, which destroys a picture, and replaces the bytes of a name
that is not UTF-8. Small devices leave out ``filename``, and old clients send Latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise

from gateway.errors import BadRequest, TooLarge

MAX_PARTS = 16
MAX_BOUNDARY_BYTES = 200
"""RFC 2046 allows 70; some clients send more."""
MAX_HEADER_BYTES = 8_192
"""Of one part."""
MAX_QUOTED_BYTES = 40
"""Bytes of a form that an error message repeats."""

_FIRST_LINE = re.compile(rb"--([^\r\n]{1,%d})\r?\n" % MAX_BOUNDARY_BYTES)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s]*)')
_CHARSET = re.compile(r"charset\s*=\s*\"?(iso-8859-1|latin-?1|windows-1252)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A field of a form; ``filename`` is None where none came, ``kind`` is the part's Content-Type or empty."""

    name: str
    filename: str | None
    kind: str
    content: bytes

    @property
    def is_file(self) -> bool:
        """Whether the part says that it is no text."""
        return self.filename is not None or not (self.kind or "text/").lower().startswith("text/")

    def text(self) -> str:
        """Raise BadRequest if the content is not UTF-8, nor in the old character set that the part states."""
        try:
            return self.content.decode("cp1252" if _CHARSET.search(self.kind) else "utf-8")
        except UnicodeDecodeError:
            raise BadRequest(f"the {self.name} is not UTF-8: it came as {_quoted(self.content)}") from None


@dataclass(frozen=True, slots=True)
class BoundaryLine:
    """``begin``: of the line break before the line; ``end``: after the boundary; ``closes``: whether the form ends."""

    begin: int
    end: int
    closes: bool


def looks_like_form(body: bytes) -> bool:
    """Whether a body of any Content-Type begins as a form does."""
    first = _FIRST_LINE.match(body)
    return first is not None and body[first.end() : first.end() + 8].lower() == b"content-"


def read_form(body: bytes, boundary: str | None) -> Sequence[Part]:
    """Read the parts. ``boundary``: of the request's Content-Type; without one the body's first line tells.

    Raises BadRequest for a form that is malformed or cut off, and TooLarge for too many parts.
    """
    mark = _mark(body, boundary)
    lines = list(islice(_boundary_lines(body, mark), MAX_PARTS + 2))
    if not lines:
        raise BadRequest(
            f"the boundary {_quoted(mark[2:])} of the Content-Type does not occur in the form, which begins with"
            f" {_quoted(body)}: send the boundary that the form uses"
        )
    if len(lines) > MAX_PARTS + 1:
        raise TooLarge(f"the form has more than {MAX_PARTS} parts")
    last = lines[-1]
    # Some clients end a form by the line that separates its parts.
    if not last.closes and body[last.end :].strip():
        raise BadRequest(
            f"the form is cut off in part {len(lines)}, after {len(body)} bytes: its last line {_quoted(mark + b'--')}"
            " is missing (a Content-Length that is too small, or a connection that broke)"
        )
    return [
        _part(number, body[line.end : following.begin]) for number, (line, following) in enumerate(pairwise(lines), 1)
    ]


def _mark(body: bytes, boundary: str | None) -> bytes:
    """Return the boundary with the two dashes that precede it in the body."""
    if boundary:
        return b"--" + boundary.encode("latin-1", "replace")
    first = _FIRST_LINE.match(body)
    if first is None:
        raise BadRequest(
            "the Content-Type multipart/form-data has no boundary, and the form does not begin with one: let your HTTP"
            " library set the Content-Type"
        )
    return b"--" + first[1].rstrip()


def _boundary_lines(body: bytes, mark: bytes) -> Iterator[BoundaryLine]:
    """Yield the lines with the boundary, up to the one that closes the form.

    A pattern that begins with fixed bytes is searched for much faster than one that begins with an optional CR.
    """
    pattern = re.escape(mark) + rb"(--|[ \t]*(?=\r?\n)|[ \t]*-?\Z)"
    at_start = re.compile(pattern).match(body)
    found = at_start
    for found in chain([at_start] if at_start else [], re.compile(b"\n" + pattern).finditer(body)):
        begin = found.start()
        line = BoundaryLine(begin - (body[begin - 1 : begin] == b"\r"), found.end(), found[1] == b"--")
        yield line
        if line.closes:
            return
    # Some firmware sends no line break before the closing line.
    end = len(body.rstrip(b"\r\n"))
    if found is not None and body.endswith(mark + b"--", 0, end):
        yield BoundaryLine(end - len(mark) - 2, end, True)


def _part(number: int, content: bytes) -> Part:
    blank = _BLANK_LINE.search(content, 0, MAX_HEADER_BYTES)
    if blank is None:
        raise BadRequest(f"part {number} of the form has no blank line after its headers")
    headers = _headers(content[: blank.start()])
    disposition = headers.get("content-disposition", "")
    parameters = {name.lower(): _unquoted(value) for name, value in _PARAMETER.findall(disposition)}
    if not parameters.get("name"):
        raise BadRequest(f'part {number} of the form has no name: send Content-Disposition: form-data; name="file"')
    filename = parameters.get("filename", parameters.get("filename*"))
    return Part(parameters["name"], filename, headers.get("content-type", ""), content[blank.end() :])


def _headers(lines: bytes) -> dict[str, str]:
    """Return the values by the names in lower case; a line that begins with a space continues the line before."""
    text = re.sub(r"\r?\n[ \t]+", " ", _decoded(lines))
    named = (line.partition(":") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in named}


def _decoded(text: bytes) -> str:
    """Return UTF-8 as it was meant, and anything else as Latin-1, which takes every byte."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _quoted(text: bytes) -> str:
    return repr(text[:MAX_QUOTED_BYTES])[1:]
