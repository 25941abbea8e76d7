"""The switches of the cameras."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import pytest

from gateway.errors import SwitchedOff, TooLarge
from gateway.live import switches as module
from gateway.live.switches import Switches
from gateway.model.sightings import ALL_CAMERAS


class StoredSwitches:
    """Switches in memory."""

    def __init__(self, *off: str) -> None:
        self.off = set(off)

    def read_disabled(self) -> set[str]:
        return set(self.off)

    def change_disabled(self, *, off: Collection[str], on: Collection[str]) -> None:
        self.off = (self.off | set(off)) - set(on)

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


def test_switches_of_other_replicas_are_followed() -> None:
    stored = StoredSwitches("porch")
    first, second = Switches(stored, "home"), Switches(stored, "home")
    first.turn("yard", on=False)
    first.turn("porch", on=True)
    first.save()
    assert second.follow() == {"yard", "porch"}
    assert (second.is_on("yard"), second.is_on("porch")) == (False, True)
    assert second.follow() == first.follow() == frozenset()
    first.turn(None, on=False)
    first.save()
    assert second.follow() == {ALL_CAMERAS}
    assert not second.all_on


def test_replicas_do_not_undo_the_switches_of_each_other() -> None:
    stored = StoredSwitches()
    first, second = Switches(stored, "home"), Switches(stored, "home")
    first.turn("yard", on=False)
    second.turn("porch", on=False)
    second.save()
    # The switch that is not stored yet stays turned.
    assert first.follow() == {"porch"}
    first.save()
    assert stored.off == {"yard", "porch"}
    assert second.follow() == {"yard"}
