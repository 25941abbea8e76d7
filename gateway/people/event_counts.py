"""The events for the audit that a stranger can cause at any rate: equal ones become one line with their number."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.model.audit import AuditEvent

REPEAT_INTERVAL_S = 3_600.0
"""The time between two lines about equal events. The first event gets its line immediately."""

MAX_KINDS = 100
"""The number of different events within an hour that get lines of their own."""

OTHERS = "others"
"""The action of a line about all events over MAX_KINDS of one interface and one role."""

WriteEvents = Callable[[Mapping[AuditEvent, int]], bool]
"""Writes events with their numbers to the audit. Returns whether they are on the disk."""


@dataclass(frozen=True, slots=True)
class _Count:
    """The number of equal events without a line, and the time of their last line."""

    waiting: int = 0
    written_at: float | None = None

    def is_due(self, now: float) -> bool:
        return self.waiting > 0 and (self.written_at is None or now >= self.written_at + REPEAT_INTERVAL_S)

    def is_over(self, now: float) -> bool:
        """Return whether the next event of this kind is a first one again."""
        return not self.waiting and self.written_at is not None and now >= self.written_at + REPEAT_INTERVAL_S


class EventCounts:
    """The counts of events, for any thread. ``record`` is a model.audit.RecordEvent.

    After a crash the events since the last lines are lost: at most an hour's repetitions of events that have a line.
    """

    def __init__(self, write: WriteEvents) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._counts: dict[AuditEvent, _Count] = {}

    def record(self, event: AuditEvent, /) -> None:
        """Count an event. ``write_due`` writes it."""
        with self._lock:
            if event not in self._counts and len(self._counts) >= MAX_KINDS:
                event = _without_details(event)
            before = self._counts.get(event, _Count())
            self._counts[event] = _Count(before.waiting + 1, before.written_at)

    def write_due(self) -> None:
        """Write the events whose lines are due."""
        now = time.monotonic()
        with self._lock:
            due = {event: count.waiting for event, count in self._counts.items() if count.is_due(now)}
        self._write_counts(due, now)

    def write_all(self) -> None:
        """Write all events, before the process ends."""
        with self._lock:
            waiting = {event: count.waiting for event, count in self._counts.items() if count.waiting}
        self._write_counts(waiting, time.monotonic())

    def _write_counts(self, counts: Mapping[AuditEvent, int], now: float) -> None:
        """Write events with these numbers. They stay if the audit cannot be written now."""
        is_written = not counts or self._write(counts)
        with self._lock:
            if is_written:
                for event, number in counts.items():
                    self._counts[event] = _Count(self._counts[event].waiting - number, now)
            self._counts = {event: count for event, count in self._counts.items() if not count.is_over(now)}


def _without_details(event: AuditEvent) -> AuditEvent:
    """Return the event under which all events over MAX_KINDS are counted."""
    return AuditEvent(replace(event.caller, name=None), OTHERS, event.outcome)
