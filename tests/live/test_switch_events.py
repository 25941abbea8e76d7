from __future__ import annotations

import pytest

from gateway.errors import TooLarge
from gateway.live.switch_events import record_switches
from gateway.model.audit import AuditEvent
from gateway.model.caller import SWITCH_CALLER


def test_message_that_switches_a_camera_is_an_event() -> None:
    switched, events = list[tuple[object, ...]](), list[AuditEvent]()
    switch = record_switches(lambda *change: switched.append(change), events.append)
    switch("porch", False)
    switch(None, True)
    assert switched == [("porch", False), (None, True)]
    assert events == [
        AuditEvent(SWITCH_CALLER, "cameras/disable", "done", detail="porch"),
        AuditEvent(SWITCH_CALLER, "cameras/enable", "done", detail="all cameras"),
    ]


def test_switch_that_is_refused_is_no_event() -> None:
    def refuse(_camera: str | None, _on: bool) -> None:
        raise TooLarge("10,000 cameras are switched off")

    events: list[AuditEvent] = []
    with pytest.raises(TooLarge):
        record_switches(refuse, events.append)("porch", False)
    assert events == []
