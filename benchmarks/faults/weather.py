"""Faults of the network one after the other, and how soon the gateway serves again after each."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.history import History
from benchmarks.faults.named import BACK_S, GIVE_UP_S, GROWTH_MB, HALF_OPEN_S
from benchmarks.faults.probe import Probe
from benchmarks.faults.proxy import Proxy

AWAY_S = (1.0, 20.0)
LONG_S = 45.0
"""One fault is that long, where there is time for it: longer than any keepalive and back-off."""
PAUSE_S = (2.0, 5.0)
DEVICES = 0.2
"""The share of faults between devices and broker."""
SLOW = (20_000, 200_000)
LASTING = {"cut", "stall", "slow"}
"""Faults that go on until they are mended; the others happen in a moment."""


@dataclass(frozen=True, slots=True)
class Outage:
    """``back``: seconds until service, None if it did not come back."""

    kind: str
    where: str
    lasted: float
    back: float | None

    @property
    def limit(self) -> float:
        return HALF_OPEN_S if self.kind == "half_open" else BACK_S

    @property
    def passed(self) -> bool:
        return self.back is not None and self.back <= self.limit


class Weather:
    """Breaks and mends, and measures, in a thread of its own."""

    def __init__(self, proxies: dict[str, Proxy], probe: Probe, history: History, rng: random.Random) -> None:
        self._proxies = proxies
        self._probe = probe
        self._history = history
        self._rng = rng
        self.outages: list[Outage] = []

    def run(self, seconds: float) -> None:
        """Begins no fault after that; returns when the last one is over."""
        end = time.monotonic() + seconds
        kinds: list[str] = []
        while time.monotonic() < end:
            kinds = kinds or self._rng.sample([*_BREAK], len(_BREAK))  # each of them in turn, shuffled
            if seconds >= 4 * LONG_S and len(self.outages) == 2:
                self.outages.append(self._outage("cut", LONG_S, "gateway"))
            else:
                where = "devices" if self._rng.random() < DEVICES else "gateway"
                self.outages.append(self._outage(kinds.pop(), self._rng.uniform(*AWAY_S), where))
            time.sleep(self._rng.uniform(*PAUSE_S))

    def _outage(self, kind: str, lasts: float, where: str) -> Outage:
        proxy = self._proxies[where]
        self._history.broke(f"{kind} at the {where}")
        _BREAK[kind](proxy, self._rng)
        lasted = lasts if kind in LASTING else 0.0
        time.sleep(lasted)
        proxy.mend()
        return Outage(kind, where, round(lasted, 1), self._probe.until_served(GIVE_UP_S))


_BREAK: dict[str, Callable[[Proxy, random.Random], None]] = {
    "cut": lambda proxy, _: proxy.cut(),
    "stall": lambda proxy, _: proxy.stall(),
    "slow": lambda proxy, rng: proxy.slow(rng.uniform(*SLOW)),
    "close": lambda proxy, _: proxy.close_all(),
    "half_close": lambda proxy, _: proxy.half_close(),
    "half_open": lambda proxy, _: proxy.half_open(),
}


def verdict(outages: list[Outage], growth_mb: float, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Back in service in time after every outage, memory bounded, every case as it should be."""
    plain = [each.back for each in outages if each.kind != "half_open" and each.back is not None]
    half_open = [each.back for each in outages if each.kind == "half_open" and each.back is not None]
    late = [each for each in outages if not each.passed]
    good = not late and growth_mb <= GROWTH_MB and all(case["passed"] for case in cases)
    return {
        "outages": len(outages),
        "back_in_service_s": _spread(plain, BACK_S),
        "back_after_half_open_s": _spread(half_open, HALF_OPEN_S),
        "back_too_late": [f"{each.kind} at the {each.where} for {each.lasted} s: {each.back}" for each in late],
        "rss_growth_mb": round(growth_mb, 1),
        "rss_growth_limit_mb": GROWTH_MB,
        "cases": cases,
        "in_limits": good,
    }


def _spread(values: list[float], limit: float) -> dict[str, Any]:
    if not values:
        return {"max": None, "median": None, "limit": limit, "count": 0}
    return {
        "max": round(max(values), 2),
        "median": round(statistics.median(values), 2),
        "limit": limit,
        "count": len(values),
    }
