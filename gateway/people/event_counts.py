"""The events for the audit that a stranger can cause at any rate: equal ones become one line with their number."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from gateway.model.audit import AuditEvent
from gateway.model.caller import SWITCH_CALLER, Caller, Interface, Role

REPEAT_INTERVAL_S = 3_600.0
"""The time between two lines about equal events. The first event gets its line immediately."""

MAX_KINDS_PER_CALLER = 20
"""The number of different events of one named caller within an hour that get lines of their own."""

MAX_KINDS_PER_GROUP = 60
"""The same for all named callers of one interface and one role, for those without a name, and for real cameras."""

MAX_PLACES = 500
"""The number of cameras that always have a line with their name."""

OTHERS = "others"
"""The action of a line about all events of a caller, or of a group, over these limits."""

Group = tuple[Interface, Role, bool, bool]

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
        # The numbers of different events of each caller and of each group.
        self._kinds: Counter[Caller | Group] = Counter()
        self._real_cameras: frozenset[str] = frozenset()

    def keep_places(self, cameras: Iterable[str]) -> None:
        """Keep lines with their names for these cameras, the first MAX_PLACES of them.

        Any client of an open broker can make up names of cameras. These are counted apart.
        """
        self._real_cameras = frozenset(islice(dict.fromkeys(cameras), MAX_PLACES))

    def record(self, event: AuditEvent, /) -> None:
        """Count an event. ``write_due`` writes it."""
        with self._lock:
            event = self._shortened(event)
            before = self._counts.get(event, _Count())
            self._put(event, _Count(before.waiting + 1, before.written_at))

    def _shortened(self, event: AuditEvent) -> AuditEvent:
        """Return the event, or the one under which it is counted if its caller or its group has too many kinds."""
        if event in self._counts:
            return event
        # Each caller and each group has a share of its own, so that nobody displaces the events of others.
        if event.caller.name is not None and self._kinds[event.caller] >= MAX_KINDS_PER_CALLER:
            return AuditEvent(event.caller, OTHERS, event.outcome)
        if self._kinds[self._group(event)] < MAX_KINDS_PER_GROUP:
            return event
        if self._is_of_real_camera(event):
            return AuditEvent(event.caller, OTHERS, event.outcome, detail="" if event.caller.name else event.detail)
        return AuditEvent(replace(event.caller, name=None), OTHERS, event.outcome)

    def _put(self, event: AuditEvent, count: _Count) -> None:
        if event not in self._counts:
            self._kinds.update((event.caller, self._group(event)))
        self._counts[event] = count

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
            lasting = {event: count for event, count in self._counts.items() if not count.is_over(now)}
            self._counts, self._kinds = {}, Counter()
            for event, count in lasting.items():
                self._put(event, count)

    def _group(self, event: AuditEvent) -> Group:
        """Return the group of an event. Callers without a name, and real cameras, have groups of their own."""
        caller = event.caller
        return caller.interface, caller.role, caller.name is None, self._is_of_real_camera(event)

    def _is_of_real_camera(self, event: AuditEvent) -> bool:
        if event.caller.role == "camera":
            return event.caller.name in self._real_cameras
        # A message that switches a camera does not tell who sent it. Its event has the camera as detail.
        return event.caller == SWITCH_CALLER and event.detail in self._real_cameras
