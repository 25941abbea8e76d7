"""The table of all operations: name, fields, result, who may ask for it, and whether it changes something."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.contract import fields as f
from gateway.contract import people, replies, sightings
from gateway.contract.base import WireModel
from gateway.contract.health import HealthDocument
from gateway.errors import BadRequest, Unsupported
from gateway.model import Operation
from gateway.model.caller import Role

MAX_NAMED_FIELDS = 3
"""Unknown fields that an error message names."""
MAX_QUOTED_LENGTH = 64
"""Characters of a caller's word that an error message repeats."""

ADMINISTRATOR = frozenset[Role]({"administrator"})
CAMERA = frozenset[Role]({"camera", "administrator"})
"""The settings choose which of these operations a camera may ask for."""

_IMAGE = re.compile(r"image\d{0,2}")

FieldsT = TypeVar("FieldsT", bound=f.Fields)
ResultT = TypeVar("ResultT", bound=WireModel)


@dataclass(frozen=True, slots=True)
class OperationSpec(Generic[FieldsT, ResultT]):
    """An operation. ``fields`` and ``result``: the models of its request and of its reply.

    Over MQTT an operation that ``changes`` something needs an id, so that a repeated request changes nothing again.
    """

    fields: type[FieldsT]
    result: type[ResultT]
    changes: bool
    roles: frozenset[Role] = ADMINISTRATOR

    @property
    def required(self) -> list[str]:
        return [name for name, each in self.fields.model_fields.items() if each.is_required()]

    @property
    def known(self) -> list[str]:
        """The names of all fields."""
        return list(self.fields.model_fields)


ADMINISTRATION: Mapping[str, OperationSpec[Any, Any]] = {
    "people/list": OperationSpec(f.ListPeople, people.PeopleDocument, changes=False),
    "people/show": OperationSpec(f.OnePerson, people.PersonDocument, changes=False),
    "people/add": OperationSpec(f.AddPictures, people.EnrolledDocument, changes=True),
    "people/not_them": OperationSpec(f.CounterExamples, people.PersonDocument, changes=True),
    "people/rename": OperationSpec(f.RenamePerson, people.ChangedPersonDocument, changes=True),
    "people/merge": OperationSpec(f.MergePeople, people.ChangedPersonDocument, changes=True),
    "people/remove": OperationSpec(f.OnePerson, people.RemovedDocument, changes=True),
    "people/remove_picture": OperationSpec(f.RemovePicture, people.RemovedPictureDocument, changes=True),
    "people/erase": OperationSpec(f.OnePerson, people.ErasedDocument, changes=True),
    "people/export": OperationSpec(f.ExportPeople, people.ArchiveDocument, changes=False),
    "people/import": OperationSpec(f.ImportPeople, people.ImportDocument, changes=True),
    "people/audit": OperationSpec(f.ListEntries, people.AuditDocument, changes=False),
    "unknowns/list": OperationSpec(f.ListEntries, people.UnknownGroupsDocument, changes=False),
    "unknowns/show": OperationSpec(f.OneUnknown, people.UnknownGroupCropsDocument, changes=False),
    "unknowns/name": OperationSpec(f.NameUnknown, people.EnrolledDocument, changes=True),
    "unknowns/forget": OperationSpec(f.OneUnknown, people.ForgottenGroupDocument, changes=True),
    "unknowns/export": OperationSpec(f.OneUnknown, people.ArchiveDocument, changes=False),
    "unknowns/ignore": OperationSpec(f.OneUnknown, people.UnknownGroupDocument, changes=True),
    "unknowns/unignore": OperationSpec(f.OneUnknown, people.UnknownGroupDocument, changes=True),
    "unknowns/join": OperationSpec(f.JoinUnknowns, people.UnknownGroupDocument, changes=True),
    "sightings/list": OperationSpec(f.ListSightings, sightings.SightingsDocument, changes=False),
    "sightings/show": OperationSpec(f.OneSighting, sightings.SightingPictureDocument, changes=False),
    "sightings/not_them": OperationSpec(f.CorrectSighting, sightings.CorrectedSightingDocument, changes=True),
    "sightings/confirm": OperationSpec(f.CorrectSighting, sightings.CorrectedSightingDocument, changes=True),
    "cameras/list": OperationSpec(f.NoFields, sightings.CamerasDocument, changes=False),
    "cameras/enable": OperationSpec(f.CameraOrAll, sightings.CameraSwitchDocument, changes=True),
    "cameras/disable": OperationSpec(f.CameraOrAll, sightings.CameraSwitchDocument, changes=True),
    "cameras/forget": OperationSpec(f.OneCamera, sightings.ForgottenCameraDocument, changes=True),
    "calibrate": OperationSpec(f.Calibrate, people.CalibrationDocument, changes=False),
    "health": OperationSpec(f.NoFields, HealthDocument, changes=False),
}
"""The operations of administrators, by the words of both wires."""

RECOGNITION: Mapping[Operation, OperationSpec[Any, Any]] = {
    Operation.FACE_REC: OperationSpec(f.Recognise, replies.RecognitionDocument, changes=False, roles=CAMERA),
    Operation.FACE_MATCH: OperationSpec(f.Compare, replies.ComparisonDocument, changes=False, roles=CAMERA),
    Operation.VERIFY: OperationSpec(f.Verify, replies.ComparisonDocument, changes=False, roles=CAMERA),
    Operation.DETECT: OperationSpec(f.Recognise, replies.DetectionDocument, changes=False, roles=CAMERA),
    Operation.ENROLL: OperationSpec(f.Enroll, replies.EnrolmentDocument, changes=True, roles=CAMERA),
}
"""The operations on pictures. mqtt/codec and rest/ also read other spellings of their fields."""


def changes(operation: str) -> bool:
    """Return whether an administrator's operation changes something."""
    return operation in ADMINISTRATION and ADMINISTRATION[operation].changes


def read_fields(operation: str, values: Mapping[str, Any]) -> f.Fields:
    """Return the fields of an administrator's operation. Raise Unsupported or BadRequest."""
    if (spec := ADMINISTRATION.get(operation)) is None:
        raise Unsupported(
            f"unknown operation {operation[:MAX_QUOTED_LENGTH]}: the operations are {', '.join(ADMINISTRATION)}"
        )
    given = _gather_images({name: value for name, value in values.items() if value is not None})
    if unknown := sorted(ascii(name)[:MAX_QUOTED_LENGTH] for name in given.keys() - {*spec.known}):
        known = f"its fields are {', '.join(spec.known)}" if spec.known else "it has no fields"
        raise BadRequest(f"unknown field of {operation}: {', '.join(unknown[:MAX_NAMED_FIELDS])}; {known}")
    if missing := [name for name in spec.required if name not in given]:
        found = f"only {', '.join(given)}" if given else "no fields"
        raise BadRequest(f"{operation} needs {' and '.join(missing)}: the request has {found}")
    fields: f.Fields = spec.fields.model_validate(given)
    return fields


def _gather_images(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with ``image``, ``image1`` and so on among the ``images``."""
    # CBOR of small devices is flat, and a single picture needs no list.
    single = [value for name, value in values.items() if _IMAGE.fullmatch(name)]
    gathered = {name: value for name, value in values.items() if not _IMAGE.fullmatch(name)}
    if single:
        lists = [value if isinstance(value, list) else [value] for value in (*single, gathered.get("images", []))]
        gathered["images"] = [each for several in lists for each in several]
    return gathered
