"""The audit of failed log-ins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gateway.model.audit import AuditEvent, RecordEvent
from gateway.model.caller import UNKNOWN_REST_CALLER

ACTION = "login"

MAX_ADDRESSES = 20
"""Addresses that the audit names within INTERVAL_S. More would displace other events (people/event_counts.py)."""

INTERVAL_S = 3_600.0

OTHER_ADDRESSES = "other addresses"


class LoginAudit:
    """The events for the audit about failed log-ins, with their addresses as long as these are few."""

    def __init__(self, record: RecordEvent, clock: Callable[[], float] = time.monotonic) -> None:
        self._record = record
        self._clock = clock
        self._lock = threading.Lock()
        # By site.
        self._named: dict[str, str] = {}
        self._ends_at = 0.0

    def record(self, address: str, site: str, reason: str) -> None:
        """Record a failed log-in. ``site``: the part of the address that belongs to one sender (``site_of``)."""
        detail = f"{self._name(address, site)}: {reason}"
        self._record(AuditEvent(UNKNOWN_REST_CALLER, ACTION, "refused", detail=detail))

    def _name(self, address: str, site: str) -> str:
        with self._lock:
            if (now := self._clock()) >= self._ends_at:
                self._named.clear()
                self._ends_at = now + INTERVAL_S
            if len(self._named) < MAX_ADDRESSES:
                # The addresses of one site have the name of the first one: a sender may have billions of them.
                self._named.setdefault(site, address)
            return self._named.get(site, OTHER_ADDRESSES)
