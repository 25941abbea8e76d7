"""The switches of the cameras."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import pytest

from gateway.errors import SwitchedOff, TooLarge
from gateway.live import switches as module
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


def test_made_up_cameras_do_not_prevent_that_a_real_one_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: on a broker without an ACL, 10,000 made-up names that were off left `too_large` for each camera."""
    monkeypatch.setattr(module, "MAX_SWITCHED_OFF", 3)
    switches = Switches(StoredSwitches(), "home")
    switches.keep_places(["porch"])
    for number in range(3):
        switches.turn(f"made_up{number}", on=False)
    with pytest.raises(TooLarge):
        switches.turn("made_up3", on=False)
    switches.turn("porch", on=False)
    switches.turn(None, on=False)
    assert (switches.is_on("porch"), switches.all_on) == (False, False)
    with pytest.raises(TooLarge):
        switches.turn("made_up3", on=False)
    # A camera that is off already may be switched off again.
    switches.turn("made_up0", on=False)
    switches.turn("made_up1", on=True)
    switches.turn("made_up3", on=False)
    assert not switches.is_on("made_up3")
