"""The care for the audit: writing events, deleting old lines, and reporting its end once a day."""

from __future__ import annotations

import logging
import math
import time

from gateway.people.event_counts import EventCounts
from gateway.periodic_thread import PeriodicThread
from gateway.store.limits import AuditLimits
from gateway.store.protocols import Audit

log = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.5
"""The time between two looks for events to write. The first event of a kind has its line within a second."""

TIDY_INTERVAL_S = 3_600.0
"""The time between two deletions of old lines."""

REPORT_INTERVAL_S = 86_400.0
"""The time between two checks of the audit, each with a report of its end."""


class AuditKeeper:
    """The thread that takes care of the audit.

    The end of the audit is reported in the log and in the health document. Other machines usually have copies of both,
    so that nobody can replace the audit by another one unnoticed.
    """

    def __init__(self, audit: Audit, limits: AuditLimits) -> None:
        self._audit = audit
        self._limits = limits
        self._tidied_at = self._reported_at = -math.inf
        self.events = EventCounts(audit.record_events)
        self.head: str | None = None
        """The end of the audit at the last report, as ``facegate audit verify --head`` reads it."""
        self.warnings: tuple[str, ...] = ()
        """Sentences about lines that another program changed or removed."""
        # The check of 200,000 lines takes seconds. Nothing else may wait for it.
        failure = "the audit cannot be written or checked now"
        self._thread = PeriodicThread("audit", POLL_INTERVAL_S, self.run_due, failure)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and write the events that wait. Raise GatewayError."""
        self._thread.stop()
        self.events.write_all()

    def run_due(self) -> None:
        """Do the work whose time has come. Raise GatewayError."""
        self.events.write_due()
        now = time.monotonic()
        if now > self._tidied_at + TIDY_INTERVAL_S:
            self._tidied_at = now
            self._audit.delete_old_lines(self._limits)
        if now > self._reported_at + REPORT_INTERVAL_S:
            self._reported_at = now
            self.report()

    def report(self) -> None:
        """Check the audit, and report its end and all problems. Raise GatewayError."""
        found = self._audit.check()
        self.warnings = tuple(f"{each}: run `facegate audit verify`" for each in found.problems)
        for warning in self.warnings:
            log.error("%s", warning)
        if found.head is not None:
            self.head = found.head.text()
            log.info("the audit ends with the line and the code %s", self.head)
