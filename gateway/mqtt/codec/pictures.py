"""Pictures among the fields of a request, by the names of the contract, of REST, and of other programs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from gateway.errors import BadRequest
from gateway.formats.text_encodings import MAX_QUOTED_CHARACTERS, decode_base64, json_type_name
from gateway.model import Operation

# The first word is the contract's. Of two fields for the same picture the earlier word counts: `file` is often the name
# of a file.
_WORDS = ("image", "picture", "photo", "file")
_EXPECTED = {Operation.FACE_MATCH: "image1 and image2", Operation.ENROLL: "image or images"}
MAX_NAMED_FIELDS = 5
"""Fields of a payload that an error message names."""

_LISTS = tuple(f"{word}s" for word in _WORDS)
_PICTURE = re.compile(rf"({'|'.join(_WORDS)})(_data|_base64)?(\d{{0,2}})(_data|_base64)?")
"""The accepted names of a picture: image, image2, image_data, file1, picture_base64, image1_data, …"""


def take_pictures(fields: dict[str, Any]) -> tuple[bytes, ...]:
    """Remove all pictures from the fields and return them: first the numbered fields, then the lists.

    Raises BadRequest or BadImage.
    """
    names = _names(fields)
    single = [fields.pop(names[number]) for number in sorted(names)]
    return tuple(map(read_picture, [*single, *_take_list(fields)]))


def check_count(operation: Operation, count: int, names: Collection[str]) -> None:
    """Raise BadRequest for a number of pictures that the operation does not take. ``names``: of all fields."""
    if count not in operation.picture_counts:
        shown = ", ".join(ascii(name[:MAX_QUOTED_CHARACTERS]) for name in sorted(names)[:MAX_NAMED_FIELDS])
        raise BadRequest(
            f"{operation.value} takes {operation.pictures_text} ({_EXPECTED.get(operation, 'image')}), not {count}:"
            f" the payload has {f'the fields {shown}' if shown else 'no fields'}"
        )


def read_picture(value: object) -> bytes:
    """Return the bytes of a field that holds a picture: bytes (CBOR) or base64. Raises BadRequest or BadImage."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return decode_base64(value)
    raise BadRequest(f"expected a picture as bytes (CBOR) or base64 (JSON), got {json_type_name(value)}")


def _names(fields: Mapping[str, Any]) -> dict[int, str]:
    """Return the field of each picture by the picture's number, which is 0 for a field without one."""
    names: dict[int, str] = {}
    for name in sorted(filter(_PICTURE.fullmatch, fields), key=_rank):
        # A field of the contract is read whatever it holds, so that a mistake is reported.
        if _is_of_contract(name) or isinstance(fields[name], str | bytes):
            names.setdefault(_number(name), name)
    return names


def _rank(name: str) -> tuple[int, int]:
    found = _PICTURE.fullmatch(name)
    assert found
    return _WORDS.index(found[1]), len(name)


def _number(name: str) -> int:
    found = _PICTURE.fullmatch(name)
    assert found
    return int(found[3] or 0)


def _is_of_contract(name: str) -> bool:
    return re.fullmatch(r"image\d{0,2}", name) is not None


def _take_list(fields: dict[str, Any]) -> list[Any]:
    for name in _LISTS:
        if isinstance(fields.get(name), list):
            return fields.pop(name)  # type: ignore[no-any-return]
    if (images := fields.get("images")) is not None:
        raise BadRequest(f"expected images as a list of pictures, got {json_type_name(images)}")
    return []
