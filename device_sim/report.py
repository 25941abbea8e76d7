"""The report of a run: one line for each answer, and a summary."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from device_sim.model import (
    Answer,
    Contradiction,
    Discarded,
    Duplicate,
    Event,
    Repeated,
    Sent,
    SightingEvent,
    Skipped,
    Verdict,
)

PERCENTILES = (50, 95, 99)
# Contradictions that are listed in the summary. All are counted.
MAX_LISTED_CONTRADICTIONS = 20
# The events that say who it is. Each sighting has one of them at most.
FIRST_EVENTS = frozenset({"recognised", "stranger"})
# A broker accepts the publications of a login that may not make them, and does not say so.
NO_REPLY_ADVICE = (
    "no reply arrived: check that the gateway runs on this broker with the same base topic (--base), and that the"
    " login may use the topics of each camera (--user '{camera}' logs in by the camera's name)"
)


def line(answer: Answer) -> str:
    """Return the line of an answer."""
    score = "" if answer.score is None else f"{answer.score:.2f}"
    picture = answer.picture or "(late or unknown)"
    text = f"{answer.camera:<8} {picture:<20} {answer.label:<28} {score:>4} {milliseconds(answer):>9}"
    return text.rstrip()


def milliseconds(answer: Answer) -> str:
    return "" if answer.ms is None else f"{answer.ms:.1f} ms"


def percentile(sorted_values: Sequence[float], percent: float) -> float:
    """Return the percentile by nearest rank: at least ``percent`` of the values do not exceed it."""
    return sorted_values[max(math.ceil(len(sorted_values) * percent / 100) - 1, 0)]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Return the percentiles, rounded to a tenth, by their names; empty without a value."""
    ordered = sorted(values)
    return {f"p{percent}": round(percentile(ordered, percent), 1) for percent in PERCENTILES if ordered}


class Statistics:
    """The counts of events. Latencies are those of results only, because errors are quick."""

    def __init__(self) -> None:
        self.sent = 0
        self.skipped = 0
        self.discarded = 0
        self.repeated = 0
        self.duplicates = 0
        self.contradictions = 0
        self.contradicted: list[str] = []
        self.answered = 0
        self.unmatched = 0
        self.verdicts = 0
        self.dropped = 0
        self.errors: Counter[str] = Counter()
        self.people: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self._unanswered: Counter[str] = Counter()
        self._milliseconds: list[float] = []
        self._event_milliseconds: list[float] = []
        self._start = time.monotonic()

    def add(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Sent():
                self.sent += 1
                self._unanswered[event.camera] += 1
            case Skipped():
                self.skipped += 1
            case Discarded():
                self.discarded += 1
            case Repeated():
                self.repeated += 1
            case Duplicate():
                self.duplicates += 1
            case Contradiction():
                self._add_contradiction(event)
            case Verdict():
                self.verdicts += 1
            case SightingEvent():
                self._add_sighting_event(event)
            case Answer():
                self._add_answer(event)

    def _add_sighting_event(self, event: SightingEvent) -> None:
        self.events[event.event_type] += 1
        if event.event_type in FIRST_EVENTS:
            self._event_milliseconds.append(event.ms)

    def _add_answer(self, answer: Answer) -> None:
        self.dropped += answer.dropped
        if answer.newer is not None:
            self._unanswered[answer.camera] = min(self._unanswered[answer.camera], answer.newer)
        elif answer.ms is not None:
            self._unanswered[answer.camera] -= 1 + answer.dropped
        if answer.ms is None:
            self.unmatched += 1
            return
        self.answered += 1
        self.people.update(answer.people)
        if answer.code is None:
            self._milliseconds.append(answer.ms)
        else:
            self.errors[answer.code] += 1

    def _add_contradiction(self, event: Contradiction) -> None:
        self.contradictions += 1
        if len(self.contradicted) < MAX_LISTED_CONTRADICTIONS:
            self.contradicted.append(f"{event.camera} {event.key}: {event.text}")

    @property
    def lost(self) -> int:
        """Number of requests without an answer, and of frames without an answer to them or to a newer frame."""
        return max(sum(self._unanswered.values()), 0)

    @property
    def overtaken(self) -> int:
        """Number of frames without an answer that were not reported as dropped: a newer frame was answered."""
        return max(self.sent - self.answered - self.dropped - self.lost, 0)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def latency(self) -> dict[str, float]:
        """Return the percentiles of the latency in ms, as {"p50": …, "p95": …, "p99": …}; empty without a result."""
        return percentiles(self._milliseconds)

    def event_latency(self) -> dict[str, float]:
        """Return the percentiles of the time in ms from a sighting's first picture to its first event."""
        return percentiles(self._event_milliseconds)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary for ``--json``."""
        return {
            "schema": 1,
            "seconds": round(self.seconds, 2),
            "sent": self.sent,
            "answered": self.answered,
            "lost": self.lost,
            "dropped": self.dropped,
            "overtaken": self.overtaken,
            "skipped": self.skipped,
            "discarded": self.discarded,
            "repeated": self.repeated,
            "duplicates": self.duplicates,
            "contradictions": self.contradictions,
            "contradicted": self.contradicted,
            "unmatched": self.unmatched,
            "verdicts": self.verdicts,
            "errors": dict(self.errors),
            "people": dict(self.people),
            "latency_ms": self.latency(),
            "events": dict(self.events),
            "event_latency_ms": self.event_latency(),
        }

    def summary(self) -> str:
        """Return the summary as text."""
        lines = [
            f"sent {self.sent}, answered {self.answered}, lost {self.lost}, dropped {self.dropped}, "
            f"verdicts {self.verdicts}",
            f"{self.seconds:.1f} s, {self.answered / self.seconds:.1f} answers/s",
        ]
        if self.lost and not self.answered:
            lines.append(NO_REPLY_ADVICE)
        if self.overtaken:
            lines.append(f"overtaken {self.overtaken}: a newer frame was answered")
        if self.skipped:
            lines.append(f"skipped {self.skipped}: there was no connection, it was too slow, or there was no picture")
        if self.discarded:
            lines.append(f"discarded {self.discarded}: the simulated network lost them")
        if self.repeated or self.duplicates:
            lines.append(
                f"repeated {self.repeated}, duplicates {self.duplicates}: repeated answers without a contradiction"
            )
        if self.contradictions:
            lines.append(
                f"contradictions {self.contradictions}: answers that contradict the request or an earlier answer"
            )
            lines += [f"  {text}" for text in self.contradicted]
        if self.unmatched:
            lines.append(f"unmatched {self.unmatched}: answers that came late, or belong to no request")
        if self.errors:
            lines.append(f"errors: {format_counter(self.errors)}")
        if self.people:
            lines.append(f"people: {format_counter(self.people)}")
        if latency := self.latency():
            lines.append(f"round trip: {format_percentiles(latency)}")
        if self.events:
            lines.append(f"events: {format_counter(self.events)}")
        if latency := self.event_latency():
            lines.append(f"first picture to event: {format_percentiles(latency)}")
        return "\n".join(lines)


def format_percentiles(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {ms:.1f} ms" for name, ms in values.items())


def format_counter(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counter.most_common())
