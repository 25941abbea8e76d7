"""The cameras of a gateway that follows none (live.enabled: false). Their switches hold nevertheless."""

from __future__ import annotations

from gateway.live.switches import Switches
from gateway.model import Person
from gateway.model.sightings import Sighting
from gateway.service.live_cameras import CorrectionEvent

MAX_NAMED = 10
"""Largest number of cameras that the warning names."""


class UnfollowedCameras:
    """The changes by commands while no camera is followed: only the switches have an effect.

    The command itself writes the store.
    """

    def __init__(self, switches: Switches) -> None:
        self._switches = switches

    def set_enabled(self, camera: str | None, on: bool) -> None:
        self._switches.turn(camera, on)

    def forget_camera(self, camera: str) -> None:
        self._switches.turn(camera, on=True)

    def correct(self, sighting: Sighting, event_type: CorrectionEvent, previous: Person | None) -> None:
        """Do nothing: no sighting is open, and none is announced."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence about the cameras that are off: nothing else shows them while no camera is followed."""
        warnings = []
        if not self._switches.all_on:
            warnings.append("recognition is switched off for all cameras: run `facegate cameras enable`")
        if off := sorted(self._switches.switched_off):
            names = ", ".join(off[:MAX_NAMED]) + (f" and {len(off) - MAX_NAMED} more" if len(off) > MAX_NAMED else "")
            warnings.append(f"recognition is switched off for {names}: run `facegate cameras enable NAME`")
        return tuple(warnings)
