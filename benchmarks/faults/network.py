"""The network fails between gateway and broker, or between devices and broker; how soon does the gateway serve again?"""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from benchmarks.faults.checker import check
from benchmarks.faults.crashes import DRAIN_S, PER_WORKER, SAY_S, Say
from benchmarks.faults.figures import figures
from benchmarks.faults.fleet import DEADLINE_S, Fleet
from benchmarks.faults.history import History
from benchmarks.faults.house import House
from benchmarks.faults.kills import every
from benchmarks.faults.load import Load
from benchmarks.faults.named import named_cases
from benchmarks.faults.probe import Probe
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.store import Auditor
from device_sim.choose import free_port

KEEPALIVE_S = 5
BACK_S = 10.0
"""The limit from the network's return until a fresh question is answered."""
HALF_OPEN_S = 2 * KEEPALIVE_S + 5.0
"""The same where the gateway is not told that its connection is dead, and finds out by its keepalive."""
GROWTH_MB = 64.0
"""By how much the gateway's memory may have grown at most, at any moment."""
AWAY_S = (1.0, 20.0)
LONG_S = 45.0
"""One fault is that long, where there is time for it: longer than any keepalive and back-off."""
PAUSE_S = (2.0, 5.0)
SLOW = (20_000, 200_000)
GIVE_UP_S = 90.0
WARM_S = 10.0
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

    def run(self, seconds: float, over: threading.Event) -> None:
        """Begins no fault after that; sets ``over`` when the last one is over."""
        end = time.monotonic() + seconds
        kinds: list[str] = []
        try:
            while time.monotonic() < end:
                kinds = kinds or self._rng.sample([*_BREAK], len(_BREAK))  # each of them in turn, shuffled
                longest = seconds >= 4 * LONG_S and len(self.outages) == 2
                self.outages.append(self._outage(kinds.pop(), longest=longest))
                time.sleep(self._rng.uniform(*PAUSE_S))
        finally:
            over.set()

    def _outage(self, kind: str, *, longest: bool) -> Outage:
        where = "devices" if self._rng.random() < 0.2 and not longest else "gateway"
        proxy = self._proxies[where]
        lasts = LONG_S if longest else self._rng.uniform(*AWAY_S)
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


def network(folder: Path, say: Say, *, seconds: float, workers: int, seed: int, out: TextIO | None) -> dict[str, Any]:
    """Devices repeat. Raises SimError, or TimeoutError."""
    rng = random.Random(seed)
    history, load, port = History(out=out), Load(rng), free_port()
    with Proxy(port) as before_gateway, Proxy(port) as before_devices:
        house = House(
            folder,
            history,
            random.Random(seed + 1),
            workers=workers,
            settings={"FACEGATE_MQTT__KEEPALIVE_S": str(KEEPALIVE_S)},
            port=port,
            way_in=before_gateway.port,
        )
        fleet = Fleet(before_devices.port, load, history, rng, cameras=PER_WORKER * workers, repeats=True)
        with house, fleet, Probe(port) as probe, Auditor(house, history) as auditor:
            begun = time.monotonic()
            fleet.run(lambda: time.monotonic() > begun + WARM_S)
            warm = house.rss_mb_max
            proxies = {"gateway": before_gateway, "devices": before_devices}
            weather = Weather(proxies, probe, history, random.Random(seed + 2))
            cases = _meanwhile(
                fleet, say, history, lambda over: weather.run(seconds, over), lambda: named_cases(house, proxies, probe)
            )
            took = time.monotonic() - begun
            house.wait_ready(DRAIN_S)
            fleet.drain(DRAIN_S)
            auditor.last_look()
    told = figures(history, check(history, repeats=True), deadline=DEADLINE_S)
    growth = house.rss_mb_max - warm
    return {
        **told,
        **verdict(weather.outages, growth, cases),
        "faults": history.faults_by_name(),
        "gateway_exits": house.exits,
        "rss_mb_max": round(house.rss_mb_max, 1),
        "seconds": round(took, 1),
        "rate_per_s": round(told["requests"] / took, 2),
        "keepalive_s": KEEPALIVE_S,
        "workers": workers,
        "seed": seed,
    }


def _meanwhile(
    fleet: Fleet,
    say: Say,
    history: History,
    weather: Callable[[threading.Event], None],
    cases: Callable[[], list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """The devices go on asking, in this thread, while things are broken in another."""
    over, found, due = threading.Event(), list[dict[str, Any]](), every(SAY_S)

    def work() -> None:
        begun = threading.Event()
        weather(begun)
        try:
            found.extend(cases())
        finally:
            over.set()

    def ended() -> bool:
        if due():
            say(f"{len(history.requests)} requests; broken: {history.faults_by_name()}")
        return over.is_set()

    thread = threading.Thread(target=work, name="weather")
    thread.start()
    try:
        fleet.run(ended)
    finally:
        thread.join()
    return found


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
        "passed": good,
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
