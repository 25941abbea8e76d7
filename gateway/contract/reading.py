"""Readers of JSON objects that came over a wire, and of the values of their fields."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.contract.base import Document
from gateway.errors import BadRequest
from gateway.formats.text_encodings import decode_base64, json_type_name, quote_value, trim
from gateway.model import CAMERA_NAME, MAX_PICTURES_AT_ONCE, PERSON_ID, RESERVED_CAMERAS, LandmarkCount
from gateway.model.caller import LEVELS, MAX_TOKEN_DAYS, MAX_TOKEN_NAME_LENGTH, TOKEN_NAME
from gateway.model.names import person_id_error
from gateway.model.sightings import OUTCOMES

# Cameras send their own state beside a picture. With so many parts the JSON takes 100 kB of memory.
MAX_PARTS = 1000
"""Brackets and commas in the JSON of a request. Base64 has none of them."""

MAX_TEXT_LENGTH = 200
MAX_NUMBER_DIGITS = 9
MAX_NUMBER = 10**MAX_NUMBER_DIGITS - 1
MAX_PICTURE_IDS = 100
"""Pictures that one request can name."""
MIN_PICTURE_WIDTH = 16
MAX_PICTURE_WIDTH = 8192
"""The bounds of the width in pixels to which a picture is reduced on request."""
PICTURE_ID_DIGITS = 16
"""Digits of a picture's id: the first ones of its SHA-256 digest."""

_LANDMARKS: Mapping[object, LandmarkCount] = {"false": 0, "0": 0, "5": 5, "68": 68, "468": 468, "true": 68}
_FLAGS = {"true": True, "false": False}
MAX_SIGHTING_ID_LENGTH = 64

_SIGHTING_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_SIGHTING_ID_LENGTH}}}")
_MOMENT = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
_DAYS = re.compile(r"\d{1,5}(\.\d{1,9})?", re.ASCII)
_PICTURE_ID = re.compile(rf"[0-9a-f]{{{PICTURE_ID_DIGITS}}}")


def read_json(data: bytes) -> Document:
    """Return a JSON object in which each key occurs once and each number is finite. Raise BadRequest."""
    # This check comes before the decoding, which can take a hundred times the memory of the JSON.
    if sum(map(data.count, (b"{", b"[", b","))) > MAX_PARTS:
        raise BadRequest(f"the JSON has more than {MAX_PARTS} parts (brackets and commas): send fewer fields")
    try:
        document = json.loads(trim(data), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    # A number of a million digits raises ValueError too.
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the JSON cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise BadRequest(f'the JSON must be an object such as {{"image": …}}, not {json_type_name(document)}')
    return document


def find_repeated(names: Iterable[str]) -> str | None:
    """Return the first name that occurs a second time, or None."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def read_landmarks(value: object) -> LandmarkCount:
    """Return the number of points: ``true`` means 68. Raise BadRequest.

    Options may come as text, in the user properties of MQTT 5.
    """
    if (count := _LANDMARKS.get(_word(value))) is None:
        raise BadRequest(f"landmarks must be true (68), 5, 68, 468 or false, not {quote_value(value)}")
    return count


def read_flag(name: str, value: object) -> bool:
    """Return a truth value, which may come as text. Raise BadRequest."""
    if (flag := _FLAGS.get(_word(value))) is None:
        raise BadRequest(f"{name} must be true or false, not {quote_value(value)}")
    return flag


def read_person_id(name: str, value: object) -> str:
    if not isinstance(value, str) or not PERSON_ID.fullmatch(value):
        raise person_id_error(name, quote_value(value))
    return value


def read_text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH or not value.isprintable():
        found = f"{len(value)} characters: {quote_value(value)}" if isinstance(value, str) else quote_value(value)
        raise BadRequest(f"{name} must be a text of up to {MAX_TEXT_LENGTH} printable characters, not {found}")
    return value


def read_picture_id(name: str, value: object) -> str:
    if not isinstance(value, str) or not _PICTURE_ID.fullmatch(value):
        raise BadRequest(
            f"{name} must be a picture's id ({PICTURE_ID_DIGITS} characters of 0-9 and a-f), not {quote_value(value)}:"
            " `facegate people show <person>` lists the ids"
        )
    return value


def read_picture_ids(name: str, value: object) -> tuple[str, ...]:
    """Return the ids of a list, or of a text with commas. Raise BadRequest."""
    # CBOR of small devices has no lists.
    values = value.split(",") if isinstance(value, str) else value if isinstance(value, list | tuple) else [value]
    if not 1 <= len(values) <= MAX_PICTURE_IDS:
        raise BadRequest(f"{name} must be a list of 1 to {MAX_PICTURE_IDS} ids of pictures, not of {len(values)}")
    return tuple(dict.fromkeys(read_picture_id(name, each) for each in values))


def read_sighting_id(name: str, value: object) -> str:
    if not isinstance(value, str) or not _SIGHTING_ID.fullmatch(value):
        raise BadRequest(
            f"{name} must be a sighting's id (up to {MAX_SIGHTING_ID_LENGTH} characters of A-Z, a-z, 0-9, ., _ and -),"
            f" not {quote_value(value)}: `facegate sightings list` lists the ids"
        )
    return value


def read_camera(name: str, value: object) -> str:
    if not isinstance(value, str) or not CAMERA_NAME.fullmatch(value) or value in RESERVED_CAMERAS:
        raise BadRequest(f"{name} must be the name of a camera (A-Z, a-z, 0-9, _ and -), not {quote_value(value)}")
    return value


def read_outcome(name: str, value: object) -> str:
    if value not in OUTCOMES:
        raise BadRequest(f"{name} must be one of {', '.join(OUTCOMES)}, not {quote_value(value)}")
    return str(value)


def read_moment(name: str, value: object) -> float:
    """Return seconds since 1970, which may come as text. Raise BadRequest."""
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not _MOMENT.fullmatch(text):
        raise BadRequest(f"{name} must be a time in seconds since 1970, not {quote_value(value)}")
    return float(text)


def read_token_name(name: str, value: object) -> str:
    if not isinstance(value, str) or not TOKEN_NAME.fullmatch(value):
        raise BadRequest(
            f"{name} must be the name of a token (1 to {MAX_TOKEN_NAME_LENGTH} characters of A-Z, a-z, 0-9, _ and -),"
            f" not {quote_value(value)}"
        )
    return value


def read_role(name: str, value: object) -> str:
    if value not in LEVELS:
        raise BadRequest(f"{name} must be one of {', '.join(LEVELS)}, not {quote_value(value)}")
    return str(value)


def read_days(name: str, value: object) -> float:
    """Return a number of days, which may come as text. Raise BadRequest."""
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not _DAYS.fullmatch(text) or not 0 < float(text) <= MAX_TOKEN_DAYS:
        raise BadRequest(f"{name} must be a number of days, at most {MAX_TOKEN_DAYS}, not {quote_value(value)}")
    return float(text)


def read_number(name: str, value: object) -> int:
    """Return a number from 1 on, which may come as text. Raise BadRequest."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.isascii() or not text.isdigit() or len(text) > MAX_NUMBER_DIGITS or int(text) < 1:
        raise BadRequest(
            f"{name} must be a whole number from 1 on, of up to {MAX_NUMBER_DIGITS} digits, not {quote_value(value)}"
        )
    return int(text)


def read_picture_width(name: str, value: object) -> int:
    """Return a width in pixels, which may come as text. Raise BadRequest."""
    width = read_number(name, value)
    if not MIN_PICTURE_WIDTH <= width <= MAX_PICTURE_WIDTH:
        raise BadRequest(f"{name} must be from {MIN_PICTURE_WIDTH} to {MAX_PICTURE_WIDTH} pixels, not {width}")
    return width


def read_bytes(name: str, value: object) -> bytes:
    """Return bytes, which come as they are (CBOR, forms) or as base64 (JSON). Raise BadRequest."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return decode_base64(value)
    raise BadRequest(f"{name} must be text in base64, or bytes in CBOR, not {json_type_name(value)}")


def read_images(name: str, value: object) -> tuple[bytes, ...]:
    """Return the pictures of a list, or a single picture. Raise BadRequest."""
    images = value if isinstance(value, list | tuple) else [value]
    if not 1 <= len(images) <= MAX_PICTURES_AT_ONCE:
        raise BadRequest(f"{name} must be a list of 1 to {MAX_PICTURES_AT_ONCE} pictures, not of {len(images)}")
    return tuple(read_bytes(name, each) for each in images)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int | str) else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if (twice := find_repeated(key for key, _ in pairs)) is not None:
        raise ValueError(f"the key {quote_value(twice)} occurs twice")
    return dict(pairs)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(text)
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a finite number")
