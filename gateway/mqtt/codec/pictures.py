"""Pictures among the fields of a request, by the contract's names and by those of REST and of other programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import BadRequest
from gateway.mqtt.codec.payload import read_picture

_WORDS = ("image", "picture", "photo", "file")
"""The first one is the contract's. Of two fields for the same picture the earlier word counts: `file` is often the name
of a file."""
_LISTS = tuple(f"{word}s" for word in _WORDS)
_PICTURE = re.compile(rf"({'|'.join(_WORDS)})(_data|_base64)?(\d{{0,2}})(_data|_base64)?")
"""image, image2, image_data, file1, picture_base64, image1_data, …"""


def take_pictures(fields: dict[str, Any]) -> tuple[bytes, ...]:
    """Take all pictures out of the fields: in the order of their numbers, then those in lists. Raises BadRequest or
    BadImage.
    """
    names = _names(fields)
    single = [fields.pop(names[number]) for number in sorted(names)]
    return tuple(map(read_picture, [*single, *_take_list(fields)]))


def _names(fields: Mapping[str, Any]) -> dict[int, str]:
    """The field of each picture, by the picture's number; 0 for a picture without one."""
    names: dict[int, str] = {}
    for name in sorted(filter(_PICTURE.fullmatch, fields), key=_rank):
        # A field of the contract is read whatever it holds, so that a mistake is reported.
        if _is_ours(name) or isinstance(fields[name], str | bytes):
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


def _is_ours(name: str) -> bool:
    return re.fullmatch(r"image\d{0,2}", name) is not None


def _take_list(fields: dict[str, Any]) -> list[Any]:
    for name in _LISTS:
        if isinstance(fields.get(name), list):
            return fields.pop(name)  # type: ignore[no-any-return]
    if fields.get("images") is not None:
        raise BadRequest("images is a list of pictures")
    return []
