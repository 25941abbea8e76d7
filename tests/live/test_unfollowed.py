"""The switches of cameras while live.enabled is false."""

from __future__ import annotations

import pytest

from gateway.errors import Forbidden
from gateway.live.switches import Switches
from gateway.live.unfollowed import MAX_NAMED, UnfollowedCameras
from gateway.model.sightings import ALL_CAMERAS
from tests.live.test_switches import StoredSwitches


def test_stored_switch_holds_until_a_command_turns_it() -> None:
    switches = Switches(StoredSwitches("porch"), None)
    cameras = UnfollowedCameras(switches)
    with pytest.raises(Forbidden, match=r"switched off for the camera porch: run `facegate cameras enable porch`$"):
        switches.check("porch")
    cameras.set_enabled("porch", True)
    switches.check("porch")
    cameras.set_enabled(None, False)
    with pytest.raises(Forbidden, match=r"switched off for all cameras: run `facegate cameras enable`$"):
        switches.check("porch")
    cameras.set_enabled(None, True)
    cameras.set_enabled("porch", False)
    cameras.forget_camera("porch")
    switches.check("porch")


def test_warning_names_the_cameras_that_are_off() -> None:
    assert UnfollowedCameras(Switches(StoredSwitches(), None)).warnings == ()
    everything, some = UnfollowedCameras(Switches(StoredSwitches(ALL_CAMERAS, "yard", "porch"), None)).warnings
    assert everything == "recognition is switched off for all cameras: run `facegate cameras enable`"
    assert some == "recognition is switched off for porch, yard: run `facegate cameras enable NAME`"
    names = [f"camera{n:02}" for n in range(MAX_NAMED + 2)]
    (warning,) = UnfollowedCameras(Switches(StoredSwitches(*names), None)).warnings
    assert f"for {', '.join(names[:MAX_NAMED])} and 2 more: " in warning
