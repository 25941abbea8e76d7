"""The switches of the cameras: recognition may be off for one camera, or for all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from gateway.errors import SwitchedOff, TooLarge
from gateway.model.sightings import ALL_CAMERAS
from gateway.store.protocols import CameraSwitches

log = logging.getLogger(__name__)

# Any topic can name a camera.
MAX_SWITCHED_OFF = 10_000
"""Largest number of cameras that are switched off, those with a place left out."""


class Switches:
    """The switches, for any thread. They outlive a restart, if ``save`` is called after a change."""

    def __init__(self, store: CameraSwitches, base: str | None) -> None:
        """``base``: the setting mqtt.base, for the error message. None if no topic switches the cameras."""
        self._store = store
        self._base = base
        self._lock = threading.Lock()
        # Held while the store is used, and taken before the other lock.
        self._storing = threading.Lock()
        self._off = self._saved = frozenset(store.read_disabled())
        # These are switched off however many others are.
        self._places = frozenset({ALL_CAMERAS})
        # The switches that refused a picture since they were turned off.
        self._logged: frozenset[str] = frozenset()

    def keep_places(self, cameras: Iterable[str]) -> None:
        """Let these cameras be switched off however many others are. Their number must be bounded."""
        self._places = frozenset({ALL_CAMERAS, *cameras})

    @property
    def all_on(self) -> bool:
        """The switch for all cameras."""
        return ALL_CAMERAS not in self._off

    @property
    def switched_off(self) -> frozenset[str]:
        """The cameras whose own switch is off."""
        return self._off - {ALL_CAMERAS}

    def is_on(self, camera: str) -> bool:
        """Return the camera's own switch."""
        return camera not in self._off

    def is_followed(self, camera: str) -> bool:
        """Return whether the camera's own switch and the switch for all cameras are on."""
        return self.all_on and self.is_on(camera)

    def check(self, camera: str) -> None:
        """Raise SwitchedOff for a camera that is switched off."""
        for name, subject in ((ALL_CAMERAS, "all cameras"), (camera, f"the camera {camera}")):
            if name in self._off:
                error = SwitchedOff(f"recognition is switched off for {subject}: {self._remedy(name)}")
                self._log_once(name, camera, error)
                raise error

    def turn(self, camera: str | None, on: bool) -> None:
        """Turn the switch of a camera, or for None the switch for all cameras. Raises TooLarge if too many are off."""
        name = ALL_CAMERAS if camera is None else camera
        with self._lock:
            off = self._off - {name} if on else self._off | {name}
            if name in off - self._places and len(off - self._places) > MAX_SWITCHED_OFF:
                raise TooLarge(f"{MAX_SWITCHED_OFF} cameras are switched off: switch one on, or forget it, first")
            self._off = off
            self._logged &= off

    @property
    def is_saved(self) -> bool:
        """True if the store has the switches as they are now."""
        return self._off == self._saved

    def save(self) -> None:
        """Store the switches, if they have changed. This may wait for the store. Raise GatewayError if it fails."""
        with self._storing:
            off, saved = self._off, self._saved
            if off != saved:
                self._store.change_disabled(off=off - saved, on=saved - off)
                self._saved = off

    def follow(self) -> frozenset[str]:
        """Turn the switches that other replicas have turned. Return their names. Raise GatewayError."""
        with self._storing:
            stored, saved = frozenset(self._store.read_disabled()), self._saved
            with self._lock:
                before = self._off
                self._off = (before - (saved - stored)) | (stored - saved)
                self._logged &= self._off
                changed = before ^ self._off
            self._saved = stored
        return changed

    def _log_once(self, name: str, camera: str, error: SwitchedOff) -> None:
        """Log the first picture that a switch refuses after each change."""
        with self._lock:
            is_first = name in self._off and name not in self._logged
            self._logged |= {name} & self._off
        if is_first:
            log.info("pictures of the camera %s are refused, which is logged once: %s", camera, error)

    def _remedy(self, name: str) -> str:
        """Return how a user switches a camera on, or for ALL_CAMERAS all of them."""
        if self._base is not None:
            return f"publish ON on {self._base}/{name}/enabled/set"
        return "run `facegate cameras enable`" if name == ALL_CAMERAS else f"run `facegate cameras enable {name}`"
