"""The history of a run: requests, answers, changes and faults."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from device_sim.repetition import TEMPORARY_CODES

Key = tuple[str, str]
"""Camera (or ``bridge``) and request id (or transaction)."""

EFFECTS = frozenset({"enroll", "people/add", "people/rename", "people/remove", "people/erase"})
"""Operations of the load that change the store."""


@dataclass(slots=True)
class Sent:
    """A request.

    ``sent``: the times of its first sending and of repetitions. ``acked``: the broker has acknowledged it (PUBACK).
    ``token``: identifies its person in the store; None for a request that changes nothing. ``shown``: the token of the
    person whom the picture shows, if the load knows it.
    """

    key: Key
    op: str
    digest: str
    sent: list[float]
    token: str | None = None
    acked: bool = False
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A received reply: its JSON document, or its verdict text."""

    key: Key
    at: float
    document: Mapping[str, Any] | None = None
    verdict: str | None = None

    @property
    def code(self) -> str:
        """``ok``, or the error code."""
        if self.document is not None:
            return "ok" if self.document.get("status") == "ok" else str(self.document.get("code", "none"))
        first, _, rest = (self.verdict or "").partition(" ")
        return rest if first == "error" else "busy" if first == "busy" else "ok"

    @property
    def final(self) -> bool:
        """True unless the device may repeat the request."""
        return self.code not in TEMPORARY_CODES

    @property
    def retry_after(self) -> float:
        """The seconds of ``busy``, otherwise 0."""
        said = self.document.get("retry_after") if self.document is not None else (self.verdict or "").split(" ")[-1]
        try:
            return max(0.0, float(said or 0)) if self.code == "busy" else 0.0
        except (TypeError, ValueError):
            return 0.0


@dataclass(frozen=True, slots=True)
class Effect:
    """An entry of the gateway's audit log. ``person``: the random key of a person."""

    at: float
    door: str
    action: str
    person: str
    pictures: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: ``gateway``, ``gateway and workers``, ``broker kill``, ``broker restart``, or a network fault."""

    at: float
    what: str


@dataclass
class History:
    """The history of a run. Safe to use from any thread.

    ``people``: the ids and names in the gateway's store at the end.
    """

    requests: dict[Key, Sent] = field(default_factory=dict)
    answers: dict[Key, list[Answer]] = field(default_factory=dict)
    effects: set[Effect] = field(default_factory=set)
    people: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    strays: int = 0
    """Number of answers that belong to no request."""
    out: TextIO | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record_request(self, request: Sent) -> None:
        with self._lock:
            self.requests[request.key] = request
            self._write("sent", request)

    def record_repetition(self, key: Key, at: float) -> None:
        with self._lock:
            self.requests[key].sent.append(at)
            self._write("repeated", {"key": key, "at": at})

    def record_acknowledgement(self, key: Key) -> None:
        with self._lock:
            self.requests[key].acked = True

    def record_answer(self, answer: Answer) -> bool:
        """Record an answer. Return whether it belongs to a request."""
        with self._lock:
            self._write("answered", answer)
            if answer.key not in self.requests:
                self.strays += 1
                return False
            self.answers.setdefault(answer.key, []).append(answer)
            return True

    def record_effects(self, effects: set[Effect]) -> None:
        with self._lock:
            for effect in sorted(effects - self.effects, key=lambda each: each.at):
                self._write("done", effect)
            self.effects |= effects

    def record_people(self, people: Mapping[str, str]) -> None:
        with self._lock:
            self.people = dict(people)
            self._write("known", dict(people))

    def record_fault(self, what: str) -> None:
        fault = Fault(time.monotonic(), what)
        with self._lock:
            self.faults.append(fault)
            self._write("broke", fault)

    def forget(self, key: Key) -> None:
        """Forget a request, so that a run of several days does not fill the memory."""
        with self._lock:
            self.requests.pop(key, None)
            self.answers.pop(key, None)

    def count(self, what: str) -> int:
        """Return the number of faults whose name begins with ``what``."""
        with self._lock:
            return sum(fault.what.startswith(what) for fault in self.faults)

    def faults_by_name(self) -> dict[str, int]:
        with self._lock:
            return dict(Counter(fault.what for fault in self.faults))

    def _write(self, kind: str, what: Any) -> None:
        if self.out is not None:
            content = what if isinstance(what, dict) else asdict(what)
            self.out.write(json.dumps({"kind": kind, **content}) + "\n")
