"""The limit of failed log-ins by address, and their reports."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from gateway.errors import TooManyAttempts
from gateway.metrics import Metrics
from gateway.model.audit import RecordEvent
from gateway.rest.access.client import Client
from gateway.rest.access.login_audit import LoginAudit

log = logging.getLogger(__name__)

WINDOW_S = 60.0
MAX_FAILURES = 10
"""Failed log-ins of one address within WINDOW_S. Further ones are refused without a look at their token."""

MAX_ADDRESSES = 10_000
"""Addresses that are remembered. Beyond them the address with the oldest window is forgotten."""

MAX_LOGGED = 60
"""Failed log-ins within WINDOW_S that get a line in the log, of all addresses together."""

SITE_PREFIX_BITS = 64
"""The bits of an IPv6 address that belong to one site. One sender may use every address of a site."""

LIMITED = "too many failed log-ins before it"


@dataclass(frozen=True, slots=True)
class _Window:
    """A time in which something is counted."""

    ends_at: float
    count: int = 0

    def add(self, now: float) -> _Window:
        """Return the window with one more, or a new one if it has ended."""
        return replace(self, count=self.count + 1) if now < self.ends_at else _Window(now + WINDOW_S, 1)


_ENDED = _Window(0.0)


class FailedLogins:
    """The failed log-ins of the last minute. ``record``: gets an event for the audit about each of them."""

    def __init__(self, metrics: Metrics, record: RecordEvent, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._audit = LoginAudit(record, clock)
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._logged = _ENDED

    def check(self, client: Client) -> None:
        """Raise TooManyAttempts, and count the failure, if too many log-ins from the client's address failed."""
        now = self._clock()
        with self._lock:
            window = self._windows.get(site_of(client), _ENDED)
        if window.count < MAX_FAILURES or now >= window.ends_at:
            return
        self.record(client, LIMITED)
        raise TooManyAttempts(
            f"more than {MAX_FAILURES} log-ins from {client.name} failed within {WINDOW_S:g} s: wait",
            int(window.ends_at - now) + 1,
        )

    def record(self, client: Client, reason: str) -> None:
        """Count a failed log-in, and report it."""
        self._metrics.count("logins_failed")
        self._audit.record(client.name, site_of(client), reason)
        with self._lock:
            now = self._clock()
            self._count(site_of(client), now)
            self._logged = logged = self._logged.add(now)
        if logged.count <= MAX_LOGGED:
            log.warning("a log-in from %s failed: %s", client.name, reason)
        elif logged.count == MAX_LOGGED + 1:
            log.warning("more than %d log-ins failed within %g s: further ones are only counted", MAX_LOGGED, WINDOW_S)

    def _count(self, site: str, now: float) -> None:
        window = self._windows.get(site, _ENDED)
        self._windows[site] = added = window.add(now)
        if added.count == 1:
            # The order is that of the windows' ends.
            self._windows.move_to_end(site)
            if len(self._windows) > MAX_ADDRESSES:
                self._windows.popitem(last=False)


def site_of(client: Client) -> str:
    """Return the address by which failures are counted: of IPv6, only the part that belongs to one site."""
    if isinstance(client.address, IPv6Address):
        return format(int(client.address) >> (128 - SITE_PREFIX_BITS), "x")
    return client.name
