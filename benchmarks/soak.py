"""The soak test, a long run of the gateway: ``python -m benchmarks.soak [--minutes 60]``.

Cameras and an administrator load a broker and ``facegate run``, on free ports of this machine, at about half of the
peak rate. Now and then a worker process is killed, the broker is restarted, or a picture is damaged. Memory, threads,
file descriptors and latency are sampled during the run. The command writes soak.json and soak.png, and prints each rule
with its result. The exit code is 0 if all rules were kept, otherwise 1. It is 2 if the test cannot run.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from benchmarks.faults.__main__ import check_machine
from benchmarks.faults.checker import differs, is_lost
from benchmarks.faults.exit_guard import install_exit_guard
from benchmarks.faults.figures import percentile
from benchmarks.faults.fleet import DEADLINE_S, Fleet
from benchmarks.faults.history import Answer, History
from benchmarks.faults.installation import ROOT, Installation
from benchmarks.faults.kills import every
from benchmarks.faults.load import Load
from benchmarks.faults.processes import age
from benchmarks.faults.sender import SendTask, send
from benchmarks.soakrule import Sample, plot, verdict
from device_sim.errors import SimError

SAMPLE_INTERVAL_S = 10.0
MIN_SAMPLES = 30
"""Smallest number of samples, even in a short run."""
CAMERAS = 6
PEAK_S = 10.0
LOAD_SHARE = 0.5
WORKER_KILL_INTERVAL_S, BROKER_KILL_INTERVAL_S = 300.0, 600.0
"""Time between two kills of a worker process, and two restarts of the broker. It is shorter in a short run."""
REQUEST_LIFETIME_S = 2 * DEADLINE_S
"""Time after which a request is counted and forgotten."""


@dataclass(slots=True)
class Sampler:
    """Samples of the gateway, and of the answers since the last sample."""

    installation: Installation
    history: History
    begun: float
    young_s: float
    samples: list[Sample] = field(default_factory=list)

    def take_sample(self) -> None:
        now = time.monotonic()
        usages = self.installation.usages()
        if not usages:
            return
        gateway, *workers = usages
        settled = {str(each.pid): round(each.rss_mb, 2) for each in workers if age(each) >= self.young_s}
        waited = self._waited()
        self.samples.append(
            Sample(
                at=round(now - self.begun, 1),
                rss_mb=round(gateway.rss_mb, 2),
                workers_mb=settled,
                threads=gateway.threads,
                fds=gateway.fds,
                p50=_ms(percentile(waited, 50)),
                p95=_ms(percentile(waited, 95)),
            )
        )

    def _waited(self) -> list[float]:
        """Return the seconds of each request with its first final answer since the last sample."""
        since = self.begun + (self.samples[-1].at if self.samples else 0.0)
        found = []
        for key, request in list(self.history.requests.items()):
            finals = [each.at for each in self.history.answers.get(key, []) if each.final]
            if finals and finals[0] > since:
                found.append(finals[0] - request.sent[0])
        return found


@dataclass(slots=True)
class Totals:
    """The results of old requests, which are then forgotten."""

    requests: int = 0
    lost: int = 0
    differing: int = 0
    by_code: dict[str, int] = field(default_factory=dict)

    def settle(self, history: History, before: float) -> None:
        for key, request in list(history.requests.items()):
            if request.sent[0] > before:
                continue
            answers = history.answers.get(key, [])
            self.requests += 1
            self.lost += is_lost(request, history, repeats=True)
            self.differing += differs(request, history)
            code = _last_code(answers)
            self.by_code[code] = self.by_code.get(code, 0) + 1
            history.forget(key)


def soak(folder: Path, minutes: float, workers: int, seed: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Run the test, and return its figures. Raises SimError or OSError."""
    rng, history, totals, seconds = random.Random(seed), History(), Totals(), 60 * minutes
    load = Load(rng, enroll=0.01, bad=0.01, forget=True)
    with Installation(folder, history, random.Random(seed + 1), workers=workers) as installation:
        send(SendTask(installation.port, ["warm"], 3, outstanding=workers))
        peak = send(SendTask(installation.port, [f"peak{n}" for n in range(CAMERAS)], PEAK_S, outstanding=3 * workers))
        rate = LOAD_SHARE * peak.accepted_per_s
        report(f"{peak.accepted_per_s:.1f} requests per second is the peak rate; {rate:.1f} are sent")
        sampler = Sampler(installation, history, time.monotonic(), young_s=min(120.0, seconds / 6))
        fleet = Fleet(installation.port, load, history, rng, cameras=CAMERAS, repeats=True, rest=CAMERAS / rate)
        with fleet:
            with Faults(installation, seconds, random.Random(seed + 2)):
                fleet.run(_ticking(sampler, totals, seconds, report))
            installation.wait_ready(DEADLINE_S)
            fleet.drain(DEADLINE_S)
        totals.settle(history, time.monotonic())
    return {
        **verdict(sampler.samples, lost=totals.lost),
        **asdict(totals),
        "minutes": minutes,
        "rate_per_s": round(rate, 2),
        "faults": [(round(fault.at - sampler.begun, 1), fault.what) for fault in history.faults],
        "gateway_exits": installation.exits,
        "workers": workers,
        "seed": seed,
        "samples": [asdict(each) for each in sampler.samples],
    }


class Faults:
    """Kills of worker processes and restarts of the broker, in a separate thread."""

    def __init__(self, installation: Installation, seconds: float, rng: random.Random) -> None:
        self._installation, self._rng = installation, rng
        self._worker_due = every(max(20.0, min(WORKER_KILL_INTERVAL_S, seconds / 8)))
        self._broker_due = every(max(45.0, min(BROKER_KILL_INTERVAL_S, seconds / 5)))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="faults")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(1.0):
            if self._worker_due():
                self._installation.kill_worker(self._rng)
            if self._broker_due():
                self._installation.restart_broker()


def _ticking(sampler: Sampler, totals: Totals, seconds: float, report: Callable[[str], None]) -> Callable[[], bool]:
    sample_due, report_due = every(min(SAMPLE_INTERVAL_S, seconds / MIN_SAMPLES)), every(60.0)

    def over() -> bool:
        now = time.monotonic()
        if sample_due():
            sampler.take_sample()
            totals.settle(sampler.history, now - REQUEST_LIFETIME_S)
        if report_due() and sampler.samples:
            report(str(sampler.samples[-1]))
        return now > sampler.begun + seconds

    return over


def _last_code(answers: list[Answer]) -> str:
    return answers[-1].code if answers else "none"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


@click.command(help=__doc__)
@click.option("--minutes", default=60.0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=ROOT / "data" / "soak",
    help="Folder for the results.  [default: data/soak]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option("--workers", default=2, show_default=True, help="Number of worker processes.")
@click.option("--seed", default=1, show_default=True, help="Seed of the random numbers.")
def main(minutes: float, out: Path, as_json: bool, workers: int, seed: int) -> None:
    check_machine()
    install_exit_guard()
    try:
        with tempfile.TemporaryDirectory(prefix="facegate-soak-") as folder:
            result = soak(Path(folder), minutes, workers, seed, lambda text: click.echo(text, err=True))
    except (SimError, TimeoutError, OSError) as error:
        click.echo(f"The test cannot run: {error}", err=True)
        sys.exit(2)
    out.mkdir(parents=True, exist_ok=True)
    (out / "soak.json").write_text(json.dumps(result))
    if not plot([Sample(**each) for each in result["samples"]], result["faults"], out / "soak.png"):
        click.echo("soak.png is not written: matplotlib is not installed (the extra plot).", err=True)
    click.echo(json.dumps(result) if as_json else rules_as_text(result))
    sys.exit(0 if result["passed"] else 1)


def rules_as_text(result: dict[str, Any]) -> str:
    lines = [
        f"{name}: {rule['figure']} (limit {rule['limit']}): {'kept' if rule['kept'] else 'NOT KEPT'}"
        for name, rule in result["rules"].items()
    ]
    return "\n".join([*lines, "steady" if result["passed"] else "not steady"])


if __name__ == "__main__":
    main()
