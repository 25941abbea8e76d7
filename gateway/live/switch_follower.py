"""The thread by which a replica follows the switches of cameras that other replicas and commands turn."""

from __future__ import annotations

import logging

from gateway.errors import GatewayError
from gateway.live.service import LiveService
from gateway.live.switches import Switches
from gateway.model.sightings import ALL_CAMERAS
from gateway.periodic_thread import PeriodicThread

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.5
"""Time between two looks at the stored switches. A change is effective within a second."""


class SwitchFollower:
    """The thread. ``live``: the cameras of this replica."""

    def __init__(self, switches: Switches, live: LiveService) -> None:
        self._switches = switches
        self._live = live
        failure = "the switches of the cameras cannot be followed"
        self._thread = PeriodicThread("switches", POLL_INTERVAL_S, self.follow, failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def follow(self) -> None:
        """Follow the switches that were turned since the last call."""
        try:
            turned = self._switches.follow()
        except GatewayError as error:
            log.debug("the switches of the cameras cannot be read now: %s", error)
            return
        for name in sorted(turned):
            self._live.note_switched(None if name == ALL_CAMERAS else name)
