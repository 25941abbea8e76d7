"""The refusals and failures of requests that the audit must have."""

from __future__ import annotations

from gateway.contract.operations import ADMINISTRATION
from gateway.errors import BadRequest, Forbidden, GatewayError, SwitchedOff, TooManyAttempts
from gateway.model import PERSON_ID, AdministrationRequest, Request
from gateway.model.audit import AuditEvent
from gateway.model.caller import LEVELS

FIRST_WATCHED_ROLE = "privacy"
"""The first role whose operations are in the audit also if they fail for another reason than a refusal."""


def find_event(request: Request | AdministrationRequest, error: BaseException) -> AuditEvent | None:
    """Return the event for the audit about a request that ended with this error; None if it is of no interest."""
    caller = request.origin.caller
    if isinstance(error, (Forbidden, TooManyAttempts)) and not isinstance(error, SwitchedOff):
        return AuditEvent(caller, _action(request), "refused", _person(request), error.code)
    is_malformed = isinstance(error, BadRequest)
    if isinstance(request, AdministrationRequest) and _is_watched(request.operation) and not is_malformed:
        code = error.code if isinstance(error, GatewayError) else GatewayError.code
        return AuditEvent(caller, request.operation, "failed", _person(request), code)
    return None


def _action(request: Request | AdministrationRequest) -> str:
    return request.operation if isinstance(request, AdministrationRequest) else request.operation.value


def _person(request: Request | AdministrationRequest) -> str:
    """Return the id of the person whom the request is about, or an empty text."""
    person = request.fields.get("person") if isinstance(request, AdministrationRequest) else request.person
    return person if isinstance(person, str) and PERSON_ID.fullmatch(person) else ""


def _is_watched(operation: str) -> bool:
    spec = ADMINISTRATION.get(operation)
    return spec is not None and LEVELS.index(spec.role) >= LEVELS.index(FIRST_WATCHED_ROLE)
