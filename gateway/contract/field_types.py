"""The types of the fields of operations, each with the function that reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from gateway.contract import reading
from gateway.model import MAX_PICTURES_AT_ONCE, LandmarkCount
from gateway.model.caller import LEVELS, MAX_TOKEN_DAYS, TOKEN_NAME, Role
from gateway.model.names import MAX_NAME, checked_name
from gateway.model.sightings import OUTCOMES

MAX_ENTRIES = 1000
"""The largest number of entries in one reply."""

_BASE64 = {"type": "string", "contentEncoding": "base64", "minLength": 1}


def _read(read: Callable[[str, object], Any]) -> BeforeValidator:
    """Return a validator that raises BadRequest with the field's name. Pydantic does not catch BadRequest."""

    def validate(value: object, info: ValidationInfo) -> Any:
        return read(str(info.field_name), value)

    return BeforeValidator(validate)


def _limit(name: str, value: object) -> int:
    return min(reading.read_number(name, value), MAX_ENTRIES)


PersonId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,53}$"), _read(reading.read_person_id)]
SightingId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$"), _read(reading.read_sighting_id)]
CameraName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), _read(reading.read_camera)]
OutcomeWord = Annotated[str, Field(json_schema_extra={"enum": list(OUTCOMES)}), _read(reading.read_outcome)]
TokenName = Annotated[str, Field(pattern=rf"^{TOKEN_NAME.pattern}$"), _read(reading.read_token_name)]
RoleWord = Annotated[Role, Field(json_schema_extra={"enum": list(LEVELS)}), _read(reading.read_role)]
Days = Annotated[float, Field(gt=0, le=MAX_TOKEN_DAYS), _read(reading.read_days)]
Moment = Annotated[float, Field(ge=0), _read(reading.read_moment)]
PictureId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$"), _read(reading.read_picture_id)]
PictureIds = Annotated[
    tuple[str, ...],
    Field(json_schema_extra={"items": {"type": "string", "pattern": r"^[0-9a-f]{16}$"}, "minItems": 1}),
    _read(reading.read_picture_ids),
]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), _read(lambda _, value: checked_name(value))]
Text = Annotated[str, Field(max_length=reading.MAX_TEXT_LENGTH), _read(reading.read_text)]
Number = Annotated[int, Field(ge=1, le=reading.MAX_NUMBER), _read(reading.read_number)]
PictureWidth = Annotated[
    int, Field(ge=reading.MIN_PICTURE_WIDTH, le=reading.MAX_PICTURE_WIDTH), _read(reading.read_picture_width)
]
Limit = Annotated[int, Field(ge=1, le=reading.MAX_NUMBER), _read(_limit)]
Flag = Annotated[bool, _read(reading.read_flag)]
Landmarks = Annotated[LandmarkCount, _read(lambda _, value: reading.read_landmarks(value))]
Blob = Annotated[bytes, _read(reading.read_bytes), WithJsonSchema(_BASE64)]
Images = Annotated[
    tuple[bytes, ...],
    _read(reading.read_images),
    WithJsonSchema({"type": "array", "items": _BASE64, "minItems": 1, "maxItems": MAX_PICTURES_AT_ONCE}),
]
