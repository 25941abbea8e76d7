"""The table of all operations: name, fields, result, the role that it needs, and whether it changes something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.contract import cameras, people, replies, resemblance, sightings, tokens
from gateway.contract import fields as f
from gateway.contract.base import WireModel
from gateway.contract.health import HealthDocument
from gateway.errors import BadRequest, Forbidden, Unsupported
from gateway.model import Operation
from gateway.model.caller import Caller, Role

MAX_NAMED_FIELDS = 3
"""Unknown fields that an error message names."""
MAX_QUOTED_LENGTH = 64
"""Characters of a caller's word that an error message repeats."""

_IMAGE = re.compile(r"image\d{0,2}")

FieldsT = TypeVar("FieldsT", bound=f.Fields)
ResultT = TypeVar("ResultT", bound=WireModel)


@dataclass(frozen=True, slots=True)
class OperationSpec(Generic[FieldsT, ResultT]):
    """An operation. ``fields`` and ``result``: the models of its request and of its reply.

    ``role``: the first of LEVELS that may ask for it. A setting of a camera says whether it may. Over MQTT an
    operation that ``changes`` something needs an id, so that a repeated request changes nothing again.
    """

    fields: type[FieldsT]
    result: type[ResultT]
    changes: bool
    role: Role

    @property
    def required(self) -> list[str]:
        return [name for name, each in self.fields.model_fields.items() if each.is_required()]

    @property
    def known(self) -> list[str]:
        """The names of all fields."""
        return list(self.fields.model_fields)


ADMINISTRATION: Mapping[str, OperationSpec[Any, Any]] = {
    "people/list": OperationSpec(f.ListNamed, people.PeopleDocument, changes=False, role="viewer"),
    "people/show": OperationSpec(f.OnePerson, resemblance.PersonDetailDocument, changes=False, role="viewer"),
    "people/picture": OperationSpec(f.ShownPicture, people.PersonPictureDocument, changes=False, role="viewer"),
    "people/suggestions": OperationSpec(f.Suggestions, resemblance.SuggestionsDocument, changes=False, role="viewer"),
    "people/add": OperationSpec(f.AddPictures, people.EnrolledDocument, changes=True, role="keeper"),
    "people/not_them": OperationSpec(f.CounterExamples, people.PersonDocument, changes=True, role="keeper"),
    "people/rename": OperationSpec(f.RenamePerson, people.ChangedPersonDocument, changes=True, role="keeper"),
    "people/merge": OperationSpec(f.MergePeople, people.ChangedPersonDocument, changes=True, role="keeper"),
    "people/split": OperationSpec(f.SplitPerson, people.ChangedPersonDocument, changes=True, role="keeper"),
    "people/feature": OperationSpec(f.OnePicture, people.PersonDocument, changes=True, role="keeper"),
    "people/remove": OperationSpec(f.OnePerson, people.RemovedDocument, changes=True, role="keeper"),
    "people/remove_picture": OperationSpec(f.OnePicture, people.RemovedPictureDocument, changes=True, role="keeper"),
    "people/erase": OperationSpec(f.OnePerson, people.ErasedDocument, changes=True, role="privacy"),
    "people/export": OperationSpec(f.ExportPeople, people.ArchiveDocument, changes=False, role="privacy"),
    "people/import": OperationSpec(f.ImportPeople, people.ImportDocument, changes=True, role="admin"),
    "people/audit": OperationSpec(f.ListAudit, people.AuditDocument, changes=False, role="privacy"),
    "unknowns/list": OperationSpec(f.ListUnknowns, people.UnknownGroupsDocument, changes=False, role="viewer"),
    "unknowns/show": OperationSpec(f.OneUnknown, people.UnknownGroupCropsDocument, changes=False, role="viewer"),
    "unknowns/name": OperationSpec(f.NameUnknown, people.EnrolledDocument, changes=True, role="keeper"),
    "unknowns/forget": OperationSpec(f.OneUnknown, people.ForgottenGroupDocument, changes=True, role="keeper"),
    "unknowns/export": OperationSpec(f.OneUnknown, people.ArchiveDocument, changes=False, role="privacy"),
    "unknowns/ignore": OperationSpec(f.OneUnknown, people.UnknownGroupDocument, changes=True, role="keeper"),
    "unknowns/unignore": OperationSpec(f.OneUnknown, people.UnknownGroupDocument, changes=True, role="keeper"),
    "unknowns/join": OperationSpec(f.JoinUnknowns, people.UnknownGroupDocument, changes=True, role="keeper"),
    "sightings/list": OperationSpec(f.ListSightings, sightings.SightingsDocument, changes=False, role="viewer"),
    "sightings/show": OperationSpec(f.OneSighting, sightings.SightingPictureDocument, changes=False, role="viewer"),
    "sightings/not_them": OperationSpec(
        f.CorrectSighting, sightings.CorrectedSightingDocument, changes=True, role="keeper"
    ),
    "sightings/confirm": OperationSpec(
        f.CorrectSighting, sightings.CorrectedSightingDocument, changes=True, role="keeper"
    ),
    "cameras/list": OperationSpec(f.ListNamed, cameras.CamerasDocument, changes=False, role="viewer"),
    "cameras/show": OperationSpec(f.OneCamera, cameras.CameraDetailDocument, changes=False, role="viewer"),
    "cameras/snapshot": OperationSpec(f.CameraSnapshot, cameras.SnapshotDocument, changes=False, role="viewer"),
    "cameras/switch": OperationSpec(f.SwitchCamera, cameras.CameraSwitchDocument, changes=True, role="keeper"),
    "cameras/enable": OperationSpec(f.CameraOrAll, cameras.CameraSwitchDocument, changes=True, role="keeper"),
    "cameras/disable": OperationSpec(f.CameraOrAll, cameras.CameraSwitchDocument, changes=True, role="keeper"),
    "cameras/forget": OperationSpec(f.OneCamera, cameras.ForgottenCameraDocument, changes=True, role="keeper"),
    "tokens/list": OperationSpec(f.NoFields, tokens.TokensDocument, changes=False, role="admin"),
    "tokens/add": OperationSpec(f.AddToken, tokens.NewTokenDocument, changes=True, role="admin"),
    "tokens/revoke": OperationSpec(f.OneToken, tokens.RevokedTokenDocument, changes=True, role="admin"),
    "tokens/rotate": OperationSpec(f.RotateToken, tokens.NewTokenDocument, changes=True, role="admin"),
    "calibrate": OperationSpec(f.Calibrate, people.CalibrationDocument, changes=False, role="keeper"),
    "health": OperationSpec(f.NoFields, HealthDocument, changes=False, role="viewer"),
}
"""The operations of administrators, by the words of both wires."""

SECRET_REPLIES = frozenset({"tokens/add", "tokens/rotate"})
"""The operations whose replies have a token. Nobody but the sender of the request may read these replies."""

RECOGNITION: Mapping[Operation, OperationSpec[Any, Any]] = {
    Operation.FACE_REC: OperationSpec(f.Recognise, replies.RecognitionDocument, changes=False, role="client"),
    Operation.FACE_MATCH: OperationSpec(f.Compare, replies.ComparisonDocument, changes=False, role="client"),
    Operation.VERIFY: OperationSpec(f.Verify, replies.ComparisonDocument, changes=False, role="client"),
    Operation.DETECT: OperationSpec(f.Recognise, replies.DetectionDocument, changes=False, role="client"),
    Operation.ENROLL: OperationSpec(f.Enroll, replies.EnrolmentDocument, changes=True, role="keeper"),
}
"""The operations on pictures. mqtt/codec and rest/ also read other spellings of their fields."""


AnyOperation = OperationSpec[Any, Any]


def find_operation(operation: str) -> AnyOperation:
    """Return the operation with a name, on pictures or of administrators."""
    return ADMINISTRATION[operation] if operation in ADMINISTRATION else RECOGNITION[Operation(operation)]


def least_role(operation: str) -> Role:
    """Return the first of LEVELS that may ask for an operation on pictures or of administrators."""
    return find_operation(operation).role


def check_role(caller: Caller, operation: str) -> None:
    """Raise Forbidden if the caller's role may not ask for an operation."""
    least = least_role(operation)
    if not caller.may(least):
        raise Forbidden(f"{operation} needs the role {least}, and the role of {caller.audit_text()} is {caller.role}")


def check_command(caller: Caller, operation: str) -> None:
    """Raise Unsupported if this is no operation of administrators, and Forbidden as ``check_role`` does."""
    if operation not in ADMINISTRATION:
        raise _unknown_operation_error(operation)
    check_role(caller, operation)


def changes(operation: str) -> bool:
    """Return whether an administrator's operation changes something."""
    return operation in ADMINISTRATION and ADMINISTRATION[operation].changes


def read_fields(operation: str, values: Mapping[str, Any]) -> f.Fields:
    """Return the fields of an administrator's operation. Raise Unsupported or BadRequest."""
    if (spec := ADMINISTRATION.get(operation)) is None:
        raise _unknown_operation_error(operation)
    return _read(spec, operation, _gather_images(_drop_missing(values)))


def read_recognition_fields(operation: Operation, values: Mapping[str, Any]) -> f.Fields:
    """Return the fields of an operation on pictures. Raise BadRequest."""
    return _read(RECOGNITION[operation], operation.value, _drop_missing(values))


def _drop_missing(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def check_field_names(operation: str, given: Iterable[str], known: Sequence[str]) -> None:
    """Raise BadRequest for a field that is not one of the known ones."""
    if unknown := sorted(ascii(name)[:MAX_QUOTED_LENGTH] for name in {*given} - {*known}):
        fields = f"its fields are {', '.join(known)}" if known else "it has no fields"
        raise BadRequest(f"unknown field of {operation}: {', '.join(unknown[:MAX_NAMED_FIELDS])}; {fields}")


def _read(spec: OperationSpec[Any, Any], operation: str, given: Mapping[str, Any]) -> f.Fields:
    check_field_names(operation, given, spec.known)
    if missing := [name for name in spec.required if name not in given]:
        found = f"only {', '.join(given)}" if given else "no fields"
        raise BadRequest(f"{operation} needs {' and '.join(missing)}: the request has {found}")
    fields: f.Fields = spec.fields.model_validate(given)
    return fields


def _unknown_operation_error(operation: str) -> Unsupported:
    return Unsupported(
        f"unknown operation {operation[:MAX_QUOTED_LENGTH]}: the operations are {', '.join(ADMINISTRATION)}"
    )


def _gather_images(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with ``image``, ``image1`` and so on among the ``images``."""
    # CBOR of small devices is flat, and a single picture needs no list.
    single = [value for name, value in values.items() if _IMAGE.fullmatch(name)]
    gathered = {name: value for name, value in values.items() if not _IMAGE.fullmatch(name)}
    if single:
        lists = [value if isinstance(value, list) else [value] for value in (*single, gathered.get("images", []))]
        gathered["images"] = [each for several in lists for each in several]
    return gathered
