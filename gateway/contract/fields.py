"""The fields of the operations, each with its type and the function that reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, model_validator

from gateway.contract import reading
from gateway.errors import BadRequest
from gateway.model import LandmarkCount
from gateway.model.caller import LEVELS, MAX_TOKEN_DAYS, TOKEN_NAME, Role
from gateway.model.names import checked_name
from gateway.model.sightings import OUTCOMES

MAX_ENTRIES = 1000
"""The largest number of entries in one reply."""

_BASE64 = {"type": "string", "contentEncoding": "base64"}


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
Name = Annotated[str, _read(lambda _, value: checked_name(value))]
Text = Annotated[str, Field(max_length=reading.MAX_TEXT_LENGTH), _read(reading.read_text)]
Number = Annotated[int, Field(ge=1), _read(reading.read_number)]
Limit = Annotated[int, Field(ge=1), _read(_limit)]
Flag = Annotated[bool, _read(reading.read_flag)]
Landmarks = Annotated[LandmarkCount, _read(lambda _, value: reading.read_landmarks(value))]
Blob = Annotated[bytes, _read(reading.read_bytes), WithJsonSchema(_BASE64)]
Images = Annotated[
    tuple[bytes, ...], _read(reading.read_images), WithJsonSchema({"type": "array", "items": _BASE64, "minItems": 1})
]


class Fields(BaseModel):
    """The fields of an operation. Reading them raises BadRequest."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ListPeople(Fields):
    """The fields of ``people/list``. ``after``: the last id of the previous page. ``search``: a part of the names."""

    after: Text = ""
    search: Text = ""
    limit: Limit = 100


class OnePerson(Fields):
    person: PersonId


_EITHER = [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("name", "person")]


class NameOrPerson(Fields):
    """Either the name of a person, who may be new, or the id of an enrolled person."""

    model_config = ConfigDict(json_schema_extra={"oneOf": _EITHER})  # type: ignore[dict-item]

    person: PersonId | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _check_either(self) -> NameOrPerson:
        if (self.person is None) == (self.name is None):
            found = "neither" if self.person is None else "both"
            raise BadRequest(f"give either name, or person (the id of an enrolled person): the request has {found}")
        return self


class AddPictures(NameOrPerson):
    images: Images


class CounterExamples(OnePerson):
    images: Images


class RenamePerson(OnePerson):
    name: Name


class MergePeople(OnePerson):
    into: PersonId


class RemovePicture(OnePerson):
    picture: PictureId


class ExportPeople(Fields):
    """The fields of ``people/export``. Without ``person`` all people are exported."""

    person: PersonId | None = None


class ImportPeople(Fields):
    """The fields of ``people/import``. ``merge``: also add new pictures to people who are enrolled already."""

    archive: Blob
    merge: Flag = False


class ListEntries(Fields):
    limit: Limit = 100


class OneUnknown(Fields):
    unknown: Number


class NameUnknown(NameOrPerson):
    unknown: Number


class JoinUnknowns(OneUnknown):
    into: Number


class ListSightings(Fields):
    """The fields of ``sightings/list``. ``since``: the earliest beginning, in seconds since 1970.

    ``before``: the id of the last sighting of the previous page.
    """

    camera: CameraName | None = None
    person: PersonId | None = None
    unknown: Number | None = None
    outcome: OutcomeWord | None = None
    since: Moment | None = None
    before: SightingId | None = None
    limit: Limit = 100


class OneSighting(Fields):
    sighting: SightingId


class CorrectSighting(OneSighting):
    """The fields of ``sightings/not_them`` and ``sightings/confirm``. ``person``: by default the named one."""

    person: PersonId | None = None


class OneCamera(Fields):
    camera: CameraName


class CameraOrAll(Fields):
    """The fields of ``cameras/enable`` and ``cameras/disable``. Without ``camera`` the switch for all cameras."""

    camera: CameraName | None = None


class OneToken(Fields):
    name: TokenName


class AddToken(OneToken):
    """The fields of ``tokens/add``. ``days``: the time after which the token expires; without it: never."""

    role: RoleWord
    days: Days | None = None


class RotateToken(OneToken):
    """The fields of ``tokens/rotate``. ``days``: as for a new token; without it as long as the old one was valid."""

    days: Days | None = None


class Calibrate(Fields):
    """The fields of ``calibrate``. ``plot``: also return a picture of the curves."""

    plot: Flag = False


class NoFields(Fields):
    pass


class Recognise(Fields):
    """The fields of ``face_rec``. ``annotate``: also return the picture with the faces drawn in."""

    image: Blob
    landmarks: Landmarks = 0
    annotate: Flag = False


class Compare(Fields):
    image1: Blob
    image2: Blob
    landmarks: Landmarks = 0


class Verify(Fields):
    person: PersonId
    image: Blob
    landmarks: Landmarks = 0


class Enroll(NameOrPerson):
    images: Images
    landmarks: Landmarks = 0
