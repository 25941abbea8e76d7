from __future__ import annotations

import pytest

from gateway.model import Caller, Origin
from gateway.model.caller import (
    BRIDGE_CALLER,
    CLI_CALLER,
    FOLDER_CALLER,
    REST_CALLER,
    RETENTION_CALLER,
    UPGRADE_CALLER,
    camera_caller,
)


@pytest.mark.parametrize(
    ("caller", "text"),
    [
        (camera_caller("porch"), "mqtt:porch"),
        (BRIDGE_CALLER, "mqtt:bridge"),
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
    assert {each.role for each in (BRIDGE_CALLER, REST_CALLER, CLI_CALLER)} == {"administrator"}
    assert {each.role for each in (FOLDER_CALLER, RETENTION_CALLER, UPGRADE_CALLER)} == {"system"}


def test_origin_has_a_camera_only_over_mqtt() -> None:
    assert Origin(caller=camera_caller("porch")).camera == "porch"
    assert Origin(caller=REST_CALLER).camera is None
    assert Origin(caller=Caller("rest", "alice", "administrator")).camera is None
