"""The times at which the gateway asks whether the broker has an ACL."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from gateway.errors import StartError
from gateway.mqtt.transport.acl_probe import AclProbe, AclState

log = logging.getLogger(__name__)

RETRY_INTERVAL_S = 30.0
"""Time until the next question, if the last one got no answer."""
REPEAT_INTERVAL_S = 3600.0
"""Time until the next question otherwise: a broker may load another ACL while it runs."""


class AclWatch:
    """The asker. ``record`` gets each answer. Safe to use from any thread."""

    def __init__(self, probe: AclProbe, record: Callable[[AclState], None]) -> None:
        self._probe = probe
        self._record = record
        self._lock = threading.Lock()
        self._next_at = math.inf

    def ask(self, *, five: bool) -> None:
        """Ask now. ``five``: under MQTT 5. Raises OSError, ValueError and StartError if no connection can be opened."""
        with self._lock:
            try:
                state = self._probe.run(five=five)
            except (OSError, ValueError, StartError):
                self._note("unknown")
                raise
            self._note(state)

    def tick(self, *, five: bool) -> None:
        """Ask again if it is time to."""
        if time.monotonic() > self._next_at:
            try:
                self.ask(five=five)
            except (OSError, ValueError, StartError) as error:
                log.info("it could not be found out whether the broker has an ACL: %s", error)

    def _note(self, state: AclState) -> None:
        self._next_at = time.monotonic() + (RETRY_INTERVAL_S if state == "unknown" else REPEAT_INTERVAL_S)
        self._record(state)
