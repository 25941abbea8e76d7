"""The network fails between gateway and broker, or between devices and broker."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TextIO

from benchmarks.faults.checker import check
from benchmarks.faults.crashes import DRAIN_S, SAY_S, Say
from benchmarks.faults.figures import figures
from benchmarks.faults.fleet import DEADLINE_S, Fleet
from benchmarks.faults.history import History
from benchmarks.faults.house import House
from benchmarks.faults.kills import every
from benchmarks.faults.load import Load
from benchmarks.faults.named import KEEPALIVE_S, named_cases
from benchmarks.faults.probe import Probe
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.rounds import PER_WORKER
from benchmarks.faults.store import Auditor
from benchmarks.faults.weather import Weather, verdict
from device_sim.choose import free_port

WARM_S = 10.0


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
                fleet, say, history, lambda: weather.run(seconds), lambda: named_cases(house, proxies, probe)
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
    weather: Callable[[], None],
    cases: Callable[[], list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """The devices go on asking, in this thread, while things are broken in another. Raises what that one does."""
    outcome, due = Future[list[dict[str, Any]]](), every(SAY_S)

    def work() -> None:
        try:
            weather()
            outcome.set_result(cases())
        except Exception as error:
            outcome.set_exception(error)

    def ended() -> bool:
        if due():
            say(f"{len(history.requests)} requests; broken: {history.faults_by_name()}")
        return outcome.done()

    # A daemon: who interrupts us does not wait for the end of an outage.
    threading.Thread(target=work, name="weather", daemon=True).start()
    fleet.run(ended)
    return outcome.result()
