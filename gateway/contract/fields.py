"""The fields of the operations."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from gateway.contract.field_types import (
    Blob,
    CameraName,
    Days,
    Flag,
    Images,
    Landmarks,
    Limit,
    Moment,
    Name,
    Number,
    OutcomeWord,
    PersonId,
    PictureId,
    PictureIds,
    PictureWidth,
    RoleWord,
    SightingId,
    Text,
    TokenName,
)
from gateway.errors import BadRequest


class Fields(BaseModel):
    """The fields of an operation. Reading them raises BadRequest."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ListNamed(Fields):
    """The fields of a list. ``after``: the last id or name of the previous page. ``search``: a part of the names."""

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
    """The fields of ``people/add``. ``partial``: enrol the pictures that can be used, if some cannot."""

    images: Images
    partial: Flag = False


class CounterExamples(OnePerson):
    images: Images


class RenamePerson(OnePerson):
    name: Name


class MergePeople(OnePerson):
    into: PersonId


class OnePicture(OnePerson):
    picture: PictureId


class ShownPicture(OnePerson):
    """The fields of ``people/picture``. ``picture``: by default the one that is shown."""

    picture: PictureId | None = None


class SplitPerson(OnePerson):
    """The fields of ``people/split``. ``into``: an enrolled person; ``name``: of an enrolled or a new person."""

    pictures: PictureIds
    into: PersonId | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _check_either(self) -> SplitPerson:
        if (self.into is None) == (self.name is None):
            found = "neither" if self.into is None else "both"
            raise BadRequest(f"give either name, or into (the id of an enrolled person): the request has {found}")
        return self


class Suggestions(Fields):
    limit: Limit = 20


class ExportPeople(Fields):
    """The fields of ``people/export``. Without ``person`` all people are exported."""

    person: PersonId | None = None


class ImportPeople(Fields):
    """The fields of ``people/import``. ``merge``: also add new pictures to people who are enrolled already."""

    archive: Blob
    merge: Flag = False


class ListUnknowns(Fields):
    """The fields of ``unknowns/list``. ``after``: the id of the last group of the previous page."""

    after: Number | None = None
    limit: Limit = 100


class ListAudit(Fields):
    """The fields of ``people/audit``. ``before``: the number of the last line of the previous page."""

    before: Number | None = None
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


class SwitchCamera(OneCamera):
    enabled: Flag


class CameraSnapshot(OneCamera):
    """The fields of ``cameras/snapshot``. ``annotate``: draw the faces and names. ``width``: reduce a wider picture."""

    annotate: Flag = False
    width: PictureWidth | None = None


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
