"""Pictures from HTTP requests: the files of a form, base64 in JSON, or a body that is the picture itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flask import Request

from gateway.contract.base import Document
from gateway.contract.reading import find_repeated
from gateway.errors import BadImage, BadRequest
from gateway.formats.file_kinds import is_file, is_picture
from gateway.formats.text_encodings import decode_base64, json_type_name, quote_value
from gateway.rest.body import BYTE_ORDER_MARK, Form, read_body
from gateway.rest.forms import Part

MAX_NAMES = 5
"""Names of fields that an error message quotes, each cut to MAX_NAME_LENGTH."""
MAX_NAME_LENGTH = 64


class PictureField(NamedTuple):
    """The accepted names of one picture in a form and in JSON, the documented one first."""

    form: tuple[str, ...]
    json: tuple[str, ...]


PICTURE_FIELDS: Mapping[str, PictureField] = {
    # The names of the original project.
    "file": PictureField(("file", "image"), ("image_data", "image")),
    "file1": PictureField(("file1", "image1"), ("image1", "file1", "image_data1")),
    "file2": PictureField(("file2", "image2"), ("image2", "file2", "image_data2")),
    # The names of the contract.
    "image": PictureField(("image", "file"), ("image", "image_data")),
    "image1": PictureField(("image1", "file1"), ("image1", "file1", "image_data1")),
    "image2": PictureField(("image2", "file2"), ("image2", "file2", "image_data2")),
}
"""The accepted names of a picture, by the name in the documentation of a route."""

_USUAL_NAME = re.compile(
    r"(image|img|picture|pic|photo|file|upload|media|frame|snapshot)s?(_?(data|file|base64))?_?\d{0,2}(\[\d*\])?",
    re.IGNORECASE,
)
"""The names that programs give to a picture in a form."""


class TakenPictures(NamedTuple):
    """The pictures of a body, and its other fields: texts, or values of JSON. ``file_names``: of files in a form."""

    pictures: tuple[bytes, ...]
    others: Mapping[str, Any]
    file_names: tuple[str, ...] = ()


def take_pictures(request: Request, names: Sequence[str], *, ignore_others: bool = False) -> TakenPictures:
    """Return the pictures and the other fields of a body.

    ``names``: keys of PICTURE_FIELDS. ``ignore_others``: do not read other fields, as the original project does.
    Raise BadRequest, BadImage or TooLarge.
    """
    body = read_body(request)
    if isinstance(body, bytes):
        return TakenPictures((_bare_picture(body, names),), {})
    if isinstance(body, Mapping):
        fields = _json_fields(body, names)
        others = {name: value for name, value in body.items() if name not in fields and not ignore_others}
        return TakenPictures(tuple(_json_picture(body, field) for field in fields), others)
    parts = _picture_parts(body, names)
    texts = _texts([part for part in body if part not in parts and not ignore_others])
    return TakenPictures(tuple(map(_form_picture, parts)), texts, tuple(part.file_name for part in parts))


def decode_if_base64(data: bytes) -> bytes:
    """Return the bytes of a picture that is base64 or a data URI; other bytes unchanged. Raise BadImage."""
    # The decoder of pictures names other kinds of files in its error.
    text = data.removeprefix(BYTE_ORDER_MARK)
    is_markup = text.lstrip().startswith(b"<")
    return decode_base64(data) if text.isascii() and not is_markup and not is_file(data) else data


def has_usual_name(part: Part) -> bool:
    """Return whether a part of a form has a name that programs give to pictures."""
    return _USUAL_NAME.fullmatch(part.name) is not None


def _bare_picture(body: bytes, names: Sequence[str]) -> bytes:
    fields = " and ".join(names)
    if not body:
        raise BadRequest(f"the body is empty: send a form (multipart/form-data) with {fields}, or JSON")
    if len(names) > 1:
        raise BadRequest(
            f"{len(names)} pictures are expected, and the body is one picture: send them as {fields} of a form"
        )
    return decode_if_base64(body)


def _picture_parts(form: Form, names: Sequence[str]) -> list[Part]:
    """Return the part of each picture. Raise BadRequest unless each picture has exactly one part."""
    named = [_parts_named(form, PICTURE_FIELDS[name].form) for name in names]
    if all(len(parts) == 1 for parts in named):
        return [part for (part,) in named]
    # Many programs cannot choose the name of the field. It does not matter if the form has no other picture.
    pictures = [part for part in form if _is_picture(part)]
    if len(pictures) == len(names):
        return pictures
    several = next((parts for parts in named if len(parts) > 1), None)
    if several is not None:
        raise BadRequest(f"the form has {len(several)} files {several[0].name!r}: send only one")
    missing = next(name for name, parts in zip(names, named, strict=True) if not parts)
    raise BadRequest(f"the form has no file {missing!r}: {_list_fields(part.name for part in form)}")


def _texts(parts: Form) -> dict[str, str]:
    """Return the texts of parts by their names. Raise BadRequest."""
    if (twice := find_repeated(part.name for part in parts)) is not None:
        raise BadRequest(f"the form has {quote_value(twice)} twice: give it once")
    return {part.name: part.text() for part in parts}


def _parts_named(form: Form, names: Sequence[str]) -> list[Part]:
    """Return the parts with the first of the names that the form has."""
    return next((found for name in names if (found := [part for part in form if part.name == name])), [])


def _is_picture(part: Part) -> bool:
    return bool(part.content) and (part.is_file or is_picture(part.content) or has_usual_name(part))


def _form_picture(part: Part) -> bytes:
    if not part.content:
        raise BadImage(f"the file {part.name!r} of the form is empty: choose a picture that is not empty")
    return decode_if_base64(part.content)


def _json_fields(document: Document, names: Sequence[str]) -> list[str]:
    """Return the field of each picture. Raise BadRequest unless each picture has exactly one field."""
    return [_json_field(document, PICTURE_FIELDS[name].json) for name in names]


def _json_field(document: Document, names: Sequence[str]) -> str:
    found = [name for name in names if name in document]
    if not found:
        raise BadRequest(f"the JSON has no {names[0]!r} (or {', '.join(names[1:])}): {_list_fields(document)}")
    if len(found) > 1:
        raise BadRequest(f"the JSON has {' and '.join(found)}: send only one of them")
    return found[0]


def _json_picture(document: Document, field: str) -> bytes:
    text = document[field]
    if not isinstance(text, str):
        raise BadRequest(f"{field} must be a picture in base64, not {json_type_name(text)}")
    return decode_base64(text)


def _list_fields(names: Iterable[str]) -> str:
    shown = [repr(name[:MAX_NAME_LENGTH]) for name in names]
    more = [f"and {len(shown) - MAX_NAMES} more"] if len(shown) > MAX_NAMES else []
    return f"it has {', '.join(shown[:MAX_NAMES] + more)}" if shown else "it has no fields"
