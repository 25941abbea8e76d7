"""Network faults one after the other, and the time until the gateway answers after each."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.history import History
from benchmarks.faults.network_cases import HALF_OPEN_LIMIT_S, MAX_GROWTH_MB, PROBE_TIMEOUT_S, RECOVERY_LIMIT_S
from benchmarks.faults.probe import Probe
from benchmarks.faults.proxy import Proxy

OUTAGE_RANGE_S = (1.0, 20.0)
LONG_OUTAGE_S = 45.0
"""Duration of one fault of a long run: longer than any keepalive and back-off."""
PAUSE_RANGE_S = (2.0, 5.0)
DEVICE_SIDE_SHARE = 0.2
"""Share of the faults that are between devices and broker."""
SLOW_RANGE_BYTES_PER_S = (20_000, 200_000)
LASTING_FAULTS = {"cut", "stall", "slow"}
"""Faults that last until they are ended. The others are momentary."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A network fault. ``back``: the seconds until the gateway answered, None if it did not."""

    kind: str
    where: str
    lasted: float
    back: float | None

    @property
    def limit(self) -> float:
        return HALF_OPEN_LIMIT_S if self.kind == "half_open" else RECOVERY_LIMIT_S

    @property
    def passed(self) -> bool:
        return self.back is not None and self.back <= self.limit


class NetworkFaults:
    """The faults and their measurement."""

    def __init__(self, proxies: dict[str, Proxy], probe: Probe, history: History, rng: random.Random) -> None:
        self._proxies = proxies
        self._probe = probe
        self._history = history
        self._rng = rng
        self.outages: list[Outage] = []

    def run(self, seconds: float) -> None:
        """Cause faults for so many seconds, and return after the end of the last one."""
        end = time.monotonic() + seconds
        kinds: list[str] = []
        while time.monotonic() < end:
            # All kinds in random order, then again.
            kinds = kinds or self._rng.sample([*_BREAK], len(_BREAK))
            if seconds >= 4 * LONG_OUTAGE_S and len(self.outages) == 2:
                self.outages.append(self._outage("cut", LONG_OUTAGE_S, "gateway"))
            else:
                where = "devices" if self._rng.random() < DEVICE_SIDE_SHARE else "gateway"
                self.outages.append(self._outage(kinds.pop(), self._rng.uniform(*OUTAGE_RANGE_S), where))
            time.sleep(self._rng.uniform(*PAUSE_RANGE_S))

    def _outage(self, kind: str, lasts: float, where: str) -> Outage:
        proxy = self._proxies[where]
        self._history.record_fault(f"{kind} at the {where}")
        _BREAK[kind](proxy, self._rng)
        lasted = lasts if kind in LASTING_FAULTS else 0.0
        time.sleep(lasted)
        proxy.mend()
        return Outage(kind, where, round(lasted, 1), self._probe.until_served(PROBE_TIMEOUT_S))


_BREAK: dict[str, Callable[[Proxy, random.Random], None]] = {
    "cut": lambda proxy, _: proxy.cut(),
    "stall": lambda proxy, _: proxy.stall(),
    "slow": lambda proxy, rng: proxy.slow(rng.uniform(*SLOW_RANGE_BYTES_PER_S)),
    "close": lambda proxy, _: proxy.close_all(),
    "half_close": lambda proxy, _: proxy.half_close(),
    "half_open": lambda proxy, _: proxy.half_open(),
}


def verdict(outages: list[Outage], growth_mb: float, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures: recovery after each outage, memory growth, and the single cases."""
    plain = [each.back for each in outages if each.kind != "half_open" and each.back is not None]
    half_open = [each.back for each in outages if each.kind == "half_open" and each.back is not None]
    late = [each for each in outages if not each.passed]
    good = not late and growth_mb <= MAX_GROWTH_MB and all(case["passed"] for case in cases)
    return {
        "outages": len(outages),
        "back_in_service_s": _spread(plain, RECOVERY_LIMIT_S),
        "back_after_half_open_s": _spread(half_open, HALF_OPEN_LIMIT_S),
        "back_too_late": [f"{each.kind} at the {each.where} for {each.lasted} s: {each.back}" for each in late],
        "rss_growth_mb": round(growth_mb, 1),
        "rss_growth_limit_mb": MAX_GROWTH_MB,
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
