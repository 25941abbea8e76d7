"""The switches of the cameras."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import pytest

from gateway.errors import SwitchedOff
from gateway.live.switches import Switches


class StoredSwitches:
    """Switches in memory."""

    def __init__(self, *off: str) -> None:
        self.off = set(off)

    def read_disabled(self) -> set[str]:
        return self.off

    def write_disabled(self, cameras: Collection[str]) -> None:
        self.off = set(cameras)


def refused(switches: Switches, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what is logged when three pictures of each of two cameras come."""
    caplog.clear()
    caplog.set_level("INFO")
    for camera in ("porch", "yard") * 3:
        with suppress(SwitchedOff):
            switches.check(camera)
    return [record.getMessage() for record in caplog.records]


def test_camera_that_is_off_and_still_sends_is_logged_once_after_each_change(caplog: pytest.LogCaptureFixture) -> None:
    switches = Switches(StoredSwitches("porch"), "home")
    message = (
        "pictures of the camera porch are refused, which is logged once: recognition is switched off for"
        " the camera porch: publish ON on home/porch/enabled/set"
    )
    assert refused(switches, caplog) == [message]
    switches.turn("porch", on=False)
    assert refused(switches, caplog) == []
    switches.turn("porch", on=True)
    assert refused(switches, caplog) == []
    switches.turn("porch", on=False)
    assert refused(switches, caplog) == [message]


def test_switch_for_all_cameras_is_logged_once_for_all(caplog: pytest.LogCaptureFixture) -> None:
    switches = Switches(StoredSwitches(), "home")
    for _ in range(2):
        switches.turn(None, on=False)
        (message,) = refused(switches, caplog)
        assert "recognition is switched off for all cameras" in message
        switches.turn(None, on=True)
