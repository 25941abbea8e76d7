"""JSON Schemas of everything that crosses a wire, generated from the models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from gateway.contract.errors import CommandDocument, CommandErrorDocument, ErrorDocument, ProblemDocument
from gateway.contract.health import BridgeInfoDocument, BridgeStateDocument, HealthDocument, LivenessDocument
from gateway.contract.live import CameraStateDocument, EventDocument, PersonPresenceDocument, PresentDocument
from gateway.contract.operations import ADMINISTRATION, RECOGNITION, AnyOperation
from gateway.contract.session import SessionDocument
from gateway.contract.verdict import VerdictLine

_OTHERS: Mapping[str, type[BaseModel]] = {
    "error": ErrorDocument,
    "command/reply": CommandDocument,
    "command/error": CommandErrorDocument,
    "problem": ProblemDocument,
    "verdict": VerdictLine,
    "healthz": LivenessDocument,
    "bridge/health": HealthDocument,
    "bridge/info": BridgeInfoDocument,
    "bridge/state": BridgeStateDocument,
    "event": EventDocument,
    "present": PresentDocument,
    "person": PersonPresenceDocument,
    "camera/state": CameraStateDocument,
    "session": SessionDocument,
}


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas (JSON Schema 2020-12) by name.

    An operation has two, ``<operation>/request`` with its fields and ``<operation>/reply``.
    """
    schemas = {name: model.model_json_schema(by_alias=True) for name, model in _OTHERS.items()}
    for name, spec in _operations().items():
        schemas[f"{name}/request"] = spec.fields.model_json_schema(by_alias=True)
        schemas[f"{name}/reply"] = spec.result.model_json_schema(by_alias=True, mode="serialization")
    return schemas


def _operations() -> dict[str, AnyOperation]:
    return {**ADMINISTRATION, **{operation.value: spec for operation, spec in RECOGNITION.items()}}
