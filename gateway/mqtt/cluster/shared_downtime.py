"""The time since a leader of the cluster last took commands: commands that waited longer are not carried out."""

from __future__ import annotations

import logging
import math
import time

from gateway.errors import Busy
from gateway.mqtt.transport.reconnector import NotYet
from gateway.store.protocols.broker_notes import BrokerNotes

log = logging.getLogger(__name__)


class SharedDowntime:
    """The downtime of the commands, measured by the clock of the database. Implements DowntimeClock."""

    warnings: tuple[str, ...] = ()

    def __init__(self, notes: BrokerNotes) -> None:
        self._notes = notes
        self._alive_at = self._written_at = -math.inf

    def read(self) -> None:
        """Read how long ago a leader took commands, before a connection begins. Raises NotYet without the database."""
        try:
            waited_s = self._notes.read_commands_waited_s()
        except Busy as error:
            # Without the time, a command that was carried out would be refused as too old when it comes again.
            log.debug("commands are taken when the database says how long they may have waited: %s", error)
            raise NotYet from None
        self._alive_at = self._written_at = -math.inf if waited_s is None else time.monotonic() - waited_s

    def mark_alive(self) -> None:
        """Record that a message has come in just now. ``write`` notes it in the database."""
        self._alive_at = time.monotonic()

    def seconds(self) -> float:
        """Return the time since ``mark_alive`` of any leader in seconds, or inf if it is unknown."""
        return time.monotonic() - self._alive_at

    def write(self) -> None:
        """Note in the database that a message has come in, if there is a newer one. Called twice a second."""
        alive_at = self._alive_at
        if alive_at > self._written_at:
            try:
                self._notes.note_commands_taken()
            except Busy as error:
                log.debug("the time of the last command is noted later: %s", error)
            else:
                self._written_at = alive_at


class NoDowntime:
    """The downtime of shared requests: the broker keeps none for a replica that is away. Implements DowntimeClock."""

    def mark_alive(self) -> None:
        pass

    def seconds(self) -> float:
        return 0.0
