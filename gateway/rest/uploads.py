"""Pictures out of HTTP requests: the files of a form, base64 in JSON, or the bare picture as the body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flask import Request

from gateway.contract.documents import Document
from gateway.errors import BadImage, BadRequest
from gateway.formats.file_kinds import is_file
from gateway.formats.text_encodings import decode_base64, json_type_name
from gateway.rest.body import BYTE_ORDER_MARK, Form, read_body

MAX_NAMES = 5
"""Names of fields that an error message repeats, each cut to MAX_NAME_LENGTH."""
MAX_NAME_LENGTH = 64

PICTURE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "file": ("image_data", "image"),
    "file1": ("image1", "file1", "image_data1"),
    "file2": ("image2", "file2", "image_data2"),
}
"""The names of a picture in JSON, by its name in a form: the documented one first, then those of similar interfaces."""


def read_pictures(request: Request, names: Sequence[str]) -> tuple[bytes, ...]:
    """Return a picture for each of ``names``, which are those of a form. Raises BadRequest, BadImage or TooLarge."""
    body = read_body(request)
    if isinstance(body, bytes):
        return (_bare_picture(body, names),)
    if isinstance(body, Mapping):
        return tuple(_json_picture(body, PICTURE_FIELDS[name]) for name in names)
    return tuple(_form_picture(body, name) for name in names)


def decode_picture(data: bytes) -> bytes:
    """Return a picture as it came, or decoded where it is text: base64 or a data URI. Raises BadImage.

    Files of other kinds are left to the decoder of pictures, which names them in its error.
    """
    text = data.removeprefix(BYTE_ORDER_MARK)
    is_markup = text.lstrip().startswith(b"<")
    return decode_base64(data) if text.isascii() and not is_markup and not is_file(data) else data


def flag(request: Request, name: str) -> bool:
    """A query parameter that is on for ``true`` in any case."""
    return request.args.get(name, "").lower() == "true"


def _bare_picture(body: bytes, names: Sequence[str]) -> bytes:
    wanted = " and ".join(names)
    if not body:
        raise BadImage(f"the body is empty: send a form (multipart/form-data) with {wanted}, or JSON")
    if len(names) > 1:
        raise BadRequest(f"the body is one picture, and {len(names)} are needed: send them as {wanted} of a form")
    return decode_picture(body)


def _form_picture(form: Form, name: str) -> bytes:
    """Raise BadRequest unless the form has exactly one part of that name."""
    found = [part for part in form if part.name == name]
    if not found:
        raise BadRequest(f"the form has no file {name!r}: {_came(part.name for part in form)}")
    if len(found) > 1:
        raise BadRequest(f"the form has {len(found)} files {name!r}: send one")
    if not found[0].content:
        raise BadImage(f"the file {name!r} of the form is empty: no picture was chosen, or it has 0 bytes")
    return decode_picture(found[0].content)


def _json_picture(document: Document, names: Sequence[str]) -> bytes:
    """Raise BadRequest unless the document has exactly one of these names. A ``file_format`` is not needed."""
    found = [name for name in names if name in document]
    if not found:
        raise BadRequest(f"the JSON has no {names[0]!r} (or {', '.join(names[1:])}): {_came(document)}")
    if len(found) > 1:
        raise BadRequest(f"the JSON has {' and '.join(found)}: send one")
    text = document[found[0]]
    if not isinstance(text, str):
        raise BadRequest(f"{found[0]} must be a picture in base64, and not {json_type_name(text)}")
    return decode_base64(text)


def _came(names: Iterable[str]) -> str:
    shown = [repr(name[:MAX_NAME_LENGTH]) for name in names]
    more = [f"and {len(shown) - MAX_NAMES} more"] if len(shown) > MAX_NAMES else []
    return f"it has {', '.join(shown[:MAX_NAMES] + more)}" if shown else "it has no fields"
