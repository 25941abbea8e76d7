"""The network test: the network fails between gateway and broker, or between devices and broker."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from benchmarks.faults.checker import check
from benchmarks.faults.crashes import DRAIN_S, PROGRESS_INTERVAL_S, Report
from benchmarks.faults.figures import figures
from benchmarks.faults.fleet import DEADLINE_S, Fleet
from benchmarks.faults.history import History
from benchmarks.faults.installation import Installation
from benchmarks.faults.kills import every
from benchmarks.faults.load import Load
from benchmarks.faults.network_cases import KEEPALIVE_S, run_network_cases
from benchmarks.faults.network_faults import NetworkFaults, verdict
from benchmarks.faults.probe import Probe
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.rounds import REQUESTS_PER_WORKER
from benchmarks.faults.store_reader import StoreReader
from device_sim.ports import free_port

WARM_UP_S = 10.0


def run_network(
    folder: Path, report: Report, *, seconds: float, workers: int, seed: int, out: TextIO | None
) -> dict[str, Any]:
    """Run the test with repeating devices, and return its figures. Raises SimError or TimeoutError."""
    rng = random.Random(seed)
    history, load, port = History(out=out), Load(rng), free_port()
    with Proxy(port) as before_gateway, Proxy(port) as before_devices:
        installation = Installation(
            folder,
            history,
            random.Random(seed + 1),
            workers=workers,
            settings={"FACEGATE_MQTT__KEEPALIVE_S": str(KEEPALIVE_S)},
            port=port,
            gateway_broker_port=before_gateway.port,
        )
        fleet = Fleet(before_devices.port, load, history, rng, cameras=REQUESTS_PER_WORKER * workers, repeats=True)
        with installation, fleet, Probe(port) as probe, StoreReader(installation, history) as store_reader:
            begun = time.monotonic()
            fleet.run(lambda: time.monotonic() > begun + WARM_UP_S)
            warm = installation.rss_mb_max
            proxies = {"gateway": before_gateway, "devices": before_devices}
            network_faults = NetworkFaults(proxies, probe, history, random.Random(seed + 2))
            cases = _meanwhile(
                fleet,
                report,
                history,
                lambda: network_faults.run(seconds),
                lambda: run_network_cases(installation, proxies, probe),
            )
            took = time.monotonic() - begun
            # A device repeats its request until its own deadline, whether or not somebody can answer.
            fleet.repeat_during(partial(installation.wait_ready, DRAIN_S))
            fleet.drain(DRAIN_S)
            store_reader.read_all()
    result = figures(history, check(history, repeats=True), deadline=DEADLINE_S)
    growth = installation.rss_mb_max - warm
    return {
        **result,
        **verdict(network_faults.outages, growth, cases),
        "faults": history.faults_by_name(),
        "gateway_exits": installation.exits,
        "rss_mb_max": round(installation.rss_mb_max, 1),
        "seconds": round(took, 1),
        "rate_per_s": round(result["requests"] / took, 2),
        "keepalive_s": KEEPALIVE_S,
        "workers": workers,
        "seed": seed,
    }


def _meanwhile(
    fleet: Fleet,
    report: Report,
    history: History,
    network_faults: Callable[[], None],
    cases: Callable[[], list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Run the devices on this thread, and the faults on another one. Raises the exceptions of the other thread."""
    outcome, due = Future[list[dict[str, Any]]](), every(PROGRESS_INTERVAL_S)

    def work() -> None:
        try:
            network_faults()
            outcome.set_result(cases())
        except Exception as error:
            outcome.set_exception(error)

    def ended() -> bool:
        if due():
            report(f"{len(history.requests)} requests; broken: {history.faults_by_name()}")
        return outcome.done()

    # A daemon thread, so that Ctrl-C does not wait for the end of an outage.
    threading.Thread(target=work, name="weather", daemon=True).start()
    fleet.run(ended)
    return outcome.result()
