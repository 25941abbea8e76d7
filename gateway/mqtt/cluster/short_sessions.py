"""The report about connections of a replica that the broker ends again and again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from gateway.errors import GatewayError, SharedClientId
from gateway.mqtt.transport import backoff

log = logging.getLogger(__name__)

SHOWN_S = 3600.0
"""Time for which the health document has the warning after the last report."""


class ShortSessions:
    """The reports. A replica goes on: else a client that disturbs its connections would end all replicas in turn.

    ``on_fatal``: gets all other errors that only a person can mend.
    """

    def __init__(self, on_fatal: Callable[[GatewayError], None]) -> None:
        self._on_fatal = on_fatal
        self._reported_at: dict[str, float] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """The sentences of the last hour."""
        now = time.monotonic()
        return tuple(each for each, at in self._reported_at.copy().items() if now < at + SHOWN_S)

    def handle(self, connection: str, error: GatewayError) -> None:
        """Take an error of a connection. ``connection``: its name in messages."""
        if isinstance(error, SharedClientId):
            self._report(connection)
        else:
            self._on_fatal(error)

    def _report(self, connection: str) -> None:
        # The client id is not named: everybody who may read the health document could then connect with it.
        sentence = (
            f"The broker closed {backoff.MAX_SHORT_CONNECTIONS} sessions in a row of the replica's connection for"
            f" {connection}. Most likely another client connects with its client id, or the broker gives all clients of"
            " the gateway's login one client id: look into the log of the broker (docs/how-to/read-the-warnings.md)."
            " The replica goes on trying."
        )
        log.warning("%s", sentence)
        self._reported_at[sentence] = time.monotonic()
