from __future__ import annotations

import pytest

from gateway.model import Caller, Origin
from gateway.model.caller import (
    BRIDGE_CALLER,
    CLI_CALLER,
    FOLDER_CALLER,
    LEVELS,
    REST_CALLER,
    RETENTION_CALLER,
    UPGRADE_CALLER,
    Role,
    camera_caller,
)


@pytest.mark.parametrize(
    ("caller", "text"),
    [
        (camera_caller("porch"), "mqtt:porch"),
        (BRIDGE_CALLER, "mqtt"),
        (Caller("mqtt", "porch", "keeper"), "mqtt:user/porch"),
        (Caller("mqtt", "porch", "nobody"), "mqtt:user/porch"),
        (REST_CALLER, "rest"),
        (CLI_CALLER, "cli"),
        (FOLDER_CALLER, "known_faces"),
        (RETENTION_CALLER, "retention"),
        (UPGRADE_CALLER, "upgrade"),
    ],
)
def test_audit_text_of_a_caller_is_as_stores_have_it(caller: Caller, text: str) -> None:
    assert caller.audit_text() == text


def test_only_a_camera_has_the_role_of_a_camera() -> None:
    assert camera_caller("porch").role == "camera"
    assert {each.role for each in (BRIDGE_CALLER, REST_CALLER, CLI_CALLER)} == {"admin"}
    assert {each.role for each in (FOLDER_CALLER, RETENTION_CALLER, UPGRADE_CALLER)} == {"system"}


def test_only_the_request_of_a_camera_has_a_camera() -> None:
    assert Origin(caller=camera_caller("porch")).camera == "porch"
    assert Origin(caller=REST_CALLER).camera is None
    assert Origin(caller=BRIDGE_CALLER).camera is None
    assert Origin(caller=Caller("mqtt", "porch", "keeper")).camera is None
    assert Origin(caller=Caller("rest", "alice", "admin")).camera is None


@pytest.mark.parametrize(("role", "least"), [(role, least) for role in LEVELS for least in LEVELS])
def test_each_role_may_do_what_the_roles_before_it_may_do(role: Role, least: Role) -> None:
    assert Caller("rest", "phone", role).may(least) == (LEVELS.index(role) >= LEVELS.index(least))


def test_camera_has_the_rights_of_no_role_of_people() -> None:
    assert not any(camera_caller("porch").may(least) for least in LEVELS)


def test_nobody_may_do_nothing() -> None:
    assert not any(Caller("mqtt", "mallory", "nobody").may(least) for least in LEVELS)


def test_gateway_itself_may_do_everything() -> None:
    assert all(FOLDER_CALLER.may(least) for least in LEVELS)
