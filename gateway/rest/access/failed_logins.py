"""The limit of failed log-ins by address."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from gateway.errors import TooManyLogins
from gateway.metrics import Metrics
from gateway.model.audit import AuditEvent, RecordEvent, ignore_event
from gateway.model.caller import UNKNOWN_REST_CALLER
from gateway.rest.access.client import Client

log = logging.getLogger(__name__)

WINDOW_S = 60.0
MAX_FAILURES = 10
"""Failed log-ins of one address within WINDOW_S. Further ones are refused without a look at their token."""

MAX_ADDRESSES = 10_000
"""Addresses that are remembered. Beyond them the address with the oldest window is forgotten."""

MAX_REPORTS = 60
"""Failed log-ins within WINDOW_S that are logged one by one, of all addresses together."""

SITE_PREFIX_BITS = 64
"""The bits of an IPv6 address that belong to one site. One sender may use every address of a site."""


@dataclass(frozen=True, slots=True)
class FailedLogin:
    """A log-in that failed. ``suppressed``: further ones since the last report, which were only counted."""

    address: str
    reason: str
    suppressed: int


ReportFailure = Callable[[FailedLogin], None]


def log_failure(failure: FailedLogin) -> None:
    """Log a failed log-in, without its token."""
    more = f" ({failure.suppressed} more since the last such line)" if failure.suppressed else ""
    log.warning("a log-in from %s failed: %s%s", failure.address, failure.reason, more)


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
    """The failed log-ins of the last minute. ``report``: called for a bounded number of them; ``record``: for each."""

    def __init__(
        self,
        metrics: Metrics,
        report: ReportFailure = log_failure,
        clock: Callable[[], float] = time.monotonic,
        record: RecordEvent = ignore_event,
    ) -> None:
        self._metrics = metrics
        self._report = report
        self._record_event = record
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._reports = _ENDED
        self._suppressed = 0

    def check(self, client: Client) -> None:
        """Raise TooManyLogins, and count the failure, if too many log-ins from the client's address failed."""
        now = self._clock()
        with self._lock:
            window = self._windows.get(site_of(client), _ENDED)
            if window.count < MAX_FAILURES or now >= window.ends_at:
                return
            left = window.ends_at - now
        self.record(client, "too many failed log-ins before it")
        raise TooManyLogins(
            f"more than {MAX_FAILURES} log-ins from {client.name} failed within {WINDOW_S:g} s: wait", int(left) + 1
        )

    def record(self, client: Client, reason: str) -> None:
        """Count a failed log-in, and report it unless too many others are reported."""
        self._metrics.count("logins_failed")
        self._record_event(AuditEvent(UNKNOWN_REST_CALLER, "login", "refused", detail=client.name))
        with self._lock:
            now = self._clock()
            self._count(site_of(client), now)
            if not self._may_report(now):
                self._suppressed += 1
                return
            suppressed, self._suppressed = self._suppressed, 0
        self._report(FailedLogin(client.name, reason, suppressed))

    def _count(self, site: str, now: float) -> None:
        window = self._windows.get(site, _ENDED)
        self._windows[site] = added = window.add(now)
        if added.count == 1:
            # The order is that of the windows' ends.
            self._windows.move_to_end(site)
            if len(self._windows) > MAX_ADDRESSES:
                self._windows.popitem(last=False)

    def _may_report(self, now: float) -> bool:
        self._reports = self._reports.add(now)
        return self._reports.count <= MAX_REPORTS


def site_of(client: Client) -> str:
    """Return the address by which failures are counted: of IPv6, only the part that belongs to one site."""
    if isinstance(client.address, IPv6Address):
        return format(int(client.address) >> (128 - SITE_PREFIX_BITS), "x")
    return client.name
