"""Pictures from HTTP requests: the files of a form, base64 in JSON, or a body that is the picture itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flask import Request

from gateway.contract.base import Document
from gateway.errors import BadImage, BadRequest
from gateway.formats.file_kinds import is_file
from gateway.formats.text_encodings import decode_base64, json_type_name
from gateway.rest.body import BYTE_ORDER_MARK, Form, read_body

MAX_NAMES = 5
"""Names of fields that an error message quotes, each cut to MAX_NAME_LENGTH."""
MAX_NAME_LENGTH = 64

PICTURE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "file": ("image_data", "image"),
    "file1": ("image1", "file1", "image_data1"),
    "file2": ("image2", "file2", "image_data2"),
}
"""The names of a picture in JSON, by its name in a form: the documented name first, then names from similar APIs."""


def read_pictures(request: Request, names: Sequence[str]) -> tuple[bytes, ...]:
    """Return a picture for each name of a form field. Raise BadRequest, BadImage or TooLarge."""
    body = read_body(request)
    if isinstance(body, bytes):
        return (_bare_picture(body, names),)
    if isinstance(body, Mapping):
        return tuple(_json_picture(body, PICTURE_FIELDS[name]) for name in names)
    return tuple(_form_picture(body, name) for name in names)


def decode_if_base64(data: bytes) -> bytes:
    """Return the bytes of a picture that is base64 or a data URI; other bytes unchanged. Raise BadImage."""
    # The decoder of pictures names other kinds of files in its error.
    text = data.removeprefix(BYTE_ORDER_MARK)
    is_markup = text.lstrip().startswith(b"<")
    return decode_base64(data) if text.isascii() and not is_markup and not is_file(data) else data


def _bare_picture(body: bytes, names: Sequence[str]) -> bytes:
    fields = " and ".join(names)
    if not body:
        raise BadImage(f"the body is empty: send a form (multipart/form-data) with {fields}, or JSON")
    if len(names) > 1:
        raise BadRequest(
            f"{len(names)} pictures are expected, and the body is one picture: send them as {fields} of a form"
        )
    return decode_if_base64(body)


def _form_picture(form: Form, name: str) -> bytes:
    """Return the picture of the part with that name. Raise BadRequest unless there is exactly one."""
    found = [part for part in form if part.name == name]
    if not found:
        raise BadRequest(f"the form has no file {name!r}: {_list_fields(part.name for part in form)}")
    if len(found) > 1:
        raise BadRequest(f"the form has {len(found)} files {name!r}: send only one")
    if not found[0].content:
        raise BadImage(f"the file {name!r} of the form is empty: choose a picture that is not empty")
    return decode_if_base64(found[0].content)


def _json_picture(document: Document, names: Sequence[str]) -> bytes:
    """Return the picture of the field with one of the names. Raise BadRequest unless there is exactly one."""
    found = [name for name in names if name in document]
    if not found:
        raise BadRequest(f"the JSON has no {names[0]!r} (or {', '.join(names[1:])}): {_list_fields(document)}")
    if len(found) > 1:
        raise BadRequest(f"the JSON has {' and '.join(found)}: send only one of them")
    text = document[found[0]]
    if not isinstance(text, str):
        raise BadRequest(f"{found[0]} must be a picture in base64, not {json_type_name(text)}")
    return decode_base64(text)


def _list_fields(names: Iterable[str]) -> str:
    shown = [repr(name[:MAX_NAME_LENGTH]) for name in names]
    more = [f"and {len(shown) - MAX_NAMES} more"] if len(shown) > MAX_NAMES else []
    return f"it has {', '.join(shown[:MAX_NAMES] + more)}" if shown else "it has no fields"
