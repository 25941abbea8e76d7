"""What was asked, answered, done and broken during a run, in the order in which it was seen."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TextIO

from device_sim.repeat import PASSING

Key = tuple[str, str]
"""Camera (or ``bridge``) and request id (or transaction)."""

EFFECTS = frozenset({"enroll", "people/add", "people/rename", "people/remove"})
"""Operations of the load that change something."""


@dataclass(slots=True)
class Sent:
    """A request. ``sent``: when, first and again; ``acked``: whether the broker has taken it (PUBACK).

    ``token``: by which whom it enrols or renames is known again in the store, None for what only asks.
    """

    key: Key
    op: str
    digest: str
    sent: list[float]
    token: str | None = None
    acked: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply as it came: the JSON document, or the verdict text."""

    key: Key
    at: float
    document: Mapping[str, Any] | None = None
    verdict: str | None = None

    @property
    def code(self) -> str:
        """``ok``, or the code of the error."""
        if self.document is not None:
            return "ok" if self.document.get("status") == "ok" else str(self.document.get("code", "none"))
        first, _, rest = (self.verdict or "").partition(" ")
        return rest if first == "error" else "busy" if first == "busy" else "ok"

    @property
    def final(self) -> bool:
        return self.code not in PASSING

    @property
    def retry_after(self) -> float:
        """Seconds, 0 where it says nothing."""
        said = self.document.get("retry_after") if self.document is not None else (self.verdict or "").split(" ")[-1]
        try:
            return max(0.0, float(said or 0)) if self.code == "busy" else 0.0
        except (TypeError, ValueError):
            return 0.0


@dataclass(frozen=True, slots=True)
class Effect:
    """A line of the gateway's audit. ``person``: its random name for somebody, which is theirs alone."""

    at: float
    door: str
    action: str
    person: str
    pictures: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What was broken: ``gateway``, ``gateway and workers``, ``broker``, ``broker restart``, a fault of the network."""

    at: float
    what: str


@dataclass
class History:
    """May be added to from any thread. ``people``: ids and names in the gateway's store at the end."""

    requests: dict[Key, Sent] = field(default_factory=dict)
    answers: dict[Key, list[Answer]] = field(default_factory=dict)
    effects: set[Effect] = field(default_factory=set)
    people: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    strays: int = 0
    """Answers to what nobody asked."""
    out: TextIO | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self, request: Sent) -> None:
        with self._lock:
            self.requests[request.key] = request
            self._write("sent", request)

    def repeated(self, key: Key, at: float) -> None:
        with self._lock:
            self.requests[key].sent.append(at)
            self._write("repeated", {"key": key, "at": at})

    def acked(self, key: Key) -> None:
        with self._lock:
            self.requests[key].acked = True

    def answered(self, answer: Answer) -> bool:
        """Whether anybody asked for it."""
        with self._lock:
            self._write("answered", answer)
            if answer.key not in self.requests:
                self.strays += 1
                return False
            self.answers.setdefault(answer.key, []).append(answer)
            return True

    def done(self, effects: set[Effect]) -> None:
        with self._lock:
            for effect in sorted(effects - self.effects, key=lambda each: each.at):
                self._write("done", effect)
            self.effects |= effects

    def known(self, people: Mapping[str, str]) -> None:
        with self._lock:
            self.people = dict(people)
            self._write("known", dict(people))

    def broke(self, what: str) -> None:
        fault = Fault(time.monotonic(), what)
        with self._lock:
            self.faults.append(fault)
            self._write("broke", fault)

    def forget(self, key: Key) -> None:
        """Of a run that lasts for days."""
        with self._lock:
            self.requests.pop(key, None)
            self.answers.pop(key, None)

    def count(self, what: str) -> int:
        """How many faults there were whose name begins so."""
        with self._lock:
            return sum(fault.what.startswith(what) for fault in self.faults)

    def faults_by_name(self) -> dict[str, int]:
        with self._lock:
            return dict(Counter(fault.what for fault in self.faults))

    def _write(self, kind: str, what: Any) -> None:
        if self.out is not None:
            content = what if isinstance(what, dict) else asdict(what)
            self.out.write(json.dumps({"kind": kind, **content}) + "\n")
