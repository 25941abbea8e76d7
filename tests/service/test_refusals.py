"""Refused and failed requests are in the audit, whatever interface they came by."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import (
    BadRequest,
    Busy,
    Conflict,
    Forbidden,
    GatewayError,
    SwitchedOff,
    TooManyAttempts,
    UnknownPerson,
)
from gateway.model import AdministrationRequest, Operation, Origin
from gateway.model.audit import AuditEvent
from gateway.model.caller import Caller, camera_caller
from gateway.people.vision import NoVision
from gateway.service.administration import Administration
from gateway.service.refusals import find_event
from gateway.service.service import Service
from gateway.service.turns import Turns
from tests.examples import descriptor, seen
from tests.people.environment import open_environment, sample
from tests.service.test_recognition import ALICES, RecognitionHarness, request
from tests.service.test_service import HEALTH
from tests.support import WAIT_S

PHONE = Caller("rest", "phone", "client")
OFFICER = Caller("rest", "officer", "privacy")


def administer(operation: str, caller: Caller, **fields: Any) -> AdministrationRequest:
    return AdministrationRequest(operation=operation, fields=fields, origin=Origin(caller=caller))


@pytest.mark.parametrize("operation", ["people/list", "people/erase", "people/export"])
def test_refused_operation_is_an_event(operation: str) -> None:
    event = find_event(administer(operation, PHONE, person="alice"), Forbidden("no"))
    assert event == AuditEvent(PHONE, operation, "refused", "alice", "forbidden")


def test_refused_picture_is_an_event() -> None:
    camera = Origin(caller=camera_caller("blind"))
    event = find_event(request(Operation.FACE_REC, origin=camera), Forbidden("no"))
    assert event == AuditEvent(camera.caller, "face_rec", "refused", "", "forbidden")


def test_too_many_attempts_are_an_event_with_their_person() -> None:
    event = find_event(request(Operation.VERIFY), TooManyAttempts("no", 1))
    assert event is not None
    assert (event.action, event.outcome, event.person, event.detail) == ("verify", "refused", "alice", "busy")


@pytest.mark.parametrize("error", [SwitchedOff("off"), Busy("full", 1), GatewayError("bug"), UnknownPerson("who")])
def test_other_errors_of_pictures_are_no_events(error: GatewayError) -> None:
    assert find_event(request(Operation.VERIFY), error) is None


def test_failed_operation_of_the_role_privacy_is_an_event() -> None:
    failed = administer("people/erase", OFFICER, person="alice")
    assert find_event(failed, GatewayError("a backup is locked")) == AuditEvent(
        OFFICER, "people/erase", "failed", "alice", "internal"
    )
    assert find_event(failed, ZeroDivisionError()) == AuditEvent(OFFICER, "people/erase", "failed", "alice", "internal")
    assert find_event(failed, BadRequest("malformed")) is None
    assert find_event(administer("people/rename", OFFICER, person="alice"), Conflict("name")) is None


@pytest.mark.parametrize("person", ["Ada Lovelace", "x" * 1_000_000, 5, None, ["alice"]])
def test_event_has_only_valid_ids(person: object) -> None:
    """A request that is not read yet may have anything in this field, such as a name."""
    event = find_event(administer("people/erase", PHONE, person=person), Forbidden("no"))
    assert event is not None
    assert event.person == ""


def test_service_records_each_refusal_of_a_role(tmp_path: Path) -> None:
    recognition, events = RecognitionHarness(seen(ALICES)), list[AuditEvent]()
    with open_environment(tmp_path) as env, ThreadPoolExecutor(1) as thread:
        env.registry.enrol("Alice", [sample("alice", descriptor(2))], OFFICER)
        administration = Administration(env.people, NoVision(), Turns(thread), Turns(thread), lambda: HEALTH)
        service = Service(recognition.service, administration, record=events.append)
        with pytest.raises(Forbidden):
            service.submit(administer("people/erase", PHONE, person="alice")).result(WAIT_S)
        service.submit(administer("people/list", OFFICER)).result(WAIT_S)
        blind = Origin(caller=camera_caller("blind"))
        with pytest.raises(Forbidden):
            service.submit(request(Operation.FACE_REC, origin=blind)).result(WAIT_S)
        service.submit(request(Operation.DETECT, origin=blind)).result(WAIT_S)
    assert [(each.action, each.caller.name) for each in events] == [("people/erase", "phone"), ("face_rec", "blind")]
