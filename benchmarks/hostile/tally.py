"""The figures of the benchmark, which several runs add up."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.hostile.inputs import Input
from benchmarks.hostile.senders import NO_ANSWER, Answer
from benchmarks.hostile.workers import Usage

DECODER_CODES = frozenset({"ok", "bad_image", "too_large", "unsupported", "no_face", "multiple_faces", "timeout"})
"""The codes of answers to a request whose picture was given to a worker process."""
MAX_EXAMPLES = 40
SLOWEST = 30
"""Number of the slowest inputs, which are measured again, each alone."""
CPU_LIMIT_S, MEMORY_LIMIT_MB = 2.0, 256.0
"""The largest processor time of a picture, and the most memory that a worker process takes for it."""
MIN_SHARE = 0.3
"""The least share of inputs that reach the decoder, and of those that are well formed with hostile fields."""


@dataclass(slots=True)
class Tally:
    """The figures. ``unsought``: inputs that need no answer and got none. ``slowest``: seconds and number.

    ``examples``: the numbers and kinds of inputs that went wrong. ``tracebacks``: in the log of the gateway.
    """

    seed: int
    inputs: int = 0
    reached_decoder: int = 0
    well_formed: int = 0
    main_crashes: int = 0
    status_5xx: int = 0
    unanswered: int = 0
    unsought: int = 0
    worst_cpu_s: float = 0.0
    worst_cpu: str = ""
    worst_mb: float = 0.0
    worst_memory: str = ""
    workers_mb: float = 0.0
    main_mb: float = 0.0
    good_asked: int = 0
    good_right: int = 0
    workers_replaced: int = 0
    callback_failures: int = 0
    tracebacks: int = 0
    seconds: float = 0.0
    by_code: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, int]] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def add(self, item: Input, answer: Answer) -> None:
        """Count an input with its answer."""
        self.inputs += 1
        self.by_kind[item.kind] += 1
        self.by_code[answer.code] += 1
        self.well_formed += item.well_formed
        self.reached_decoder += item.picture and answer.code in DECODER_CODES
        if answer.code == NO_ANSWER:
            self.unanswered += item.answered
            self.unsought += not item.answered
        self.status_5xx += answer.status >= 500
        if answer.status >= 500 or (item.answered and answer.code == NO_ANSWER):
            self.note(f"{item.number} ({item.kind}): {answer.code}, {answer.seconds:.1f} s{answer.reason}")
        if item.picture:
            heapq.heappush(self.slowest, (round(answer.seconds, 3), item.number))
            if len(self.slowest) > SLOWEST:
                heapq.heappop(self.slowest)

    def add_good(self, code: str, right: bool) -> None:
        """Count a good request. ``right``: the person of the picture was named."""
        self.good_asked += 1
        self.good_right += right
        if not right:
            self.note(f"good request after {self.inputs}: {code}")

    def add_usage(self, name: str, usage: Usage) -> None:
        """Record the processor time and the memory of a picture that was asked about alone."""
        if usage.cpu_s > self.worst_cpu_s:
            self.worst_cpu_s, self.worst_cpu = round(usage.cpu_s, 3), name
        if usage.mb > self.worst_mb:
            self.worst_mb, self.worst_memory = round(usage.mb, 1), name

    def note(self, example: str) -> None:
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)

    @property
    def passed(self) -> bool:
        """True if every limit is kept."""
        return (
            not (self.main_crashes or self.status_5xx or self.unanswered)
            and self.good_right == self.good_asked > 0
            and self.reached_decoder >= MIN_SHARE * self.inputs
            and self.well_formed >= MIN_SHARE * self.inputs
            and self.worst_cpu_s <= CPU_LIMIT_S
            and self.worst_mb <= MEMORY_LIMIT_MB
        )

    def summary(self) -> dict[str, Any]:
        """Return the figures for people."""
        figures = _fields_of(self)
        del figures["slowest"]
        by_code = dict(self.by_code.most_common())
        return figures | {"by_code": by_code, "by_kind": dict(self.by_kind.most_common()), "passed": self.passed}


def save(tally: Tally, path: Path) -> None:
    """Write the figures, so that a later run can go on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(_fields_of(tally)))
    new.replace(path)


def _fields_of(tally: Tally) -> dict[str, Any]:
    # ``asdict`` cannot copy a Counter.
    return {each.name: getattr(tally, each.name) for each in fields(tally)}


def load(path: Path) -> Tally:
    """Read the figures of an earlier run. Raises OSError and ValueError."""
    stored = json.loads(path.read_text())
    counters = {name: Counter(stored[name]) for name in ("by_code", "by_kind")}
    return Tally(**stored | counters | {"slowest": [(seconds, number) for seconds, number in stored["slowest"]]})
