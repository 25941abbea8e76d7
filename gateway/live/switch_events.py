"""Events for the audit about cameras that a message on ``enabled/set`` switched."""

from __future__ import annotations

from collections.abc import Callable

from gateway.model.audit import AuditEvent, RecordEvent
from gateway.model.caller import SWITCH_CALLER

ALL_CAMERAS_DETAIL = "all cameras"
"""The detail of an event about the switch for all cameras."""

SetEnabled = Callable[["str | None", bool], None]


def record_switches(set_enabled: SetEnabled, record: RecordEvent) -> SetEnabled:
    """Return a function that switches a camera, or for None all cameras, and records that.

    The operations ``cameras/enable`` and ``cameras/disable`` have lines of their own in the audit.
    """

    def switch(camera: str | None, on: bool) -> None:
        set_enabled(camera, on)
        action = "cameras/enable" if on else "cameras/disable"
        # Anybody with access to the topics can repeat this at any rate, so that it is an event that is counted.
        record(AuditEvent(SWITCH_CALLER, action, "done", detail=camera or ALL_CAMERAS_DETAIL))

    return switch
