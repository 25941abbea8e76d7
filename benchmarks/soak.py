"""Whether the gateway stays as it is for as long as it runs: ``python -m benchmarks.soak [--minutes 60]``.

A broker and ``facegate run`` on free ports of this machine are kept at about half of what they can do by cameras and an
administrator; now and then a worker process is killed, the broker is restarted, a picture is broken. Memory, threads,
file descriptors and latency are sampled all the time. Writes soak.json and soak.png, prints the verdict with its rules,
and ends with 1 if one of them was not kept, with 2 if it can't be run.
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

SAMPLE_S = 10.0
SAMPLES = 30
"""At least, in a short run too."""
CAMERAS = 6
PEAK_S = 10.0
LOAD_SHARE = 0.5
WORKER_KILL_INTERVAL_S, BROKER_KILL_INTERVAL_S = 300.0, 600.0
"""Between two killed workers, and two restarts of the broker; more often in a short run."""
KEPT_S = 2 * DEADLINE_S
"""After this a request is judged and forgotten."""


@dataclass(slots=True)
class Watch:
    """Looks at the gateway now and then, and at what was answered since the last time."""

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
        """Seconds, of each request whose first final answer came since the last look."""
        since = self.begun + (self.samples[-1].at if self.samples else 0.0)
        found = []
        for key, request in list(self.history.requests.items()):
            finals = [each.at for each in self.history.answers.get(key, []) if each.final]
            if finals and finals[0] > since:
                found.append(finals[0] - request.sent[0])
        return found


@dataclass(slots=True)
class Ledger:
    """What became of requests that are old enough to be judged, which are forgotten then."""

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


def soak(folder: Path, minutes: float, workers: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Raises SimError, or OSError."""
    rng, history, ledger, seconds = random.Random(seed), History(), Ledger(), 60 * minutes
    load = Load(rng, enroll=0.01, bad=0.01, forget=True)
    with Installation(folder, history, random.Random(seed + 1), workers=workers) as installation:
        send(SendTask(installation.port, ["warm"], 3, outstanding=workers))
        peak = send(SendTask(installation.port, [f"peak{n}" for n in range(CAMERAS)], PEAK_S, outstanding=3 * workers))
        rate = LOAD_SHARE * peak.accepted_per_s
        say(f"{peak.accepted_per_s:.1f} requests a second can be done; {rate:.1f} are asked")
        watch = Watch(installation, history, time.monotonic(), young_s=min(120.0, seconds / 6))
        fleet = Fleet(installation.port, load, history, rng, cameras=CAMERAS, repeats=True, rest=CAMERAS / rate)
        with fleet:
            with Faults(installation, seconds, random.Random(seed + 2)):
                fleet.run(_ticking(watch, ledger, seconds, say))
            installation.wait_ready(DEADLINE_S)
            fleet.drain(DEADLINE_S)
        ledger.settle(history, time.monotonic())
    return {
        **verdict(watch.samples, lost=ledger.lost),
        **asdict(ledger),
        "minutes": minutes,
        "rate_per_s": round(rate, 2),
        "faults": [(round(fault.at - watch.begun, 1), fault.what) for fault in history.faults],
        "gateway_exits": installation.exits,
        "workers": workers,
        "seed": seed,
        "samples": [asdict(each) for each in watch.samples],
    }


class Faults:
    """Kills a worker and restarts the broker now and then, in a thread."""

    def __init__(self, installation: Installation, seconds: float, rng: random.Random) -> None:
        self._installation, self._rng = installation, rng
        self._worker_due = every(max(20.0, min(WORKER_KILL_INTERVAL_S, seconds / 8)))
        self._broker_due = every(max(45.0, min(BROKER_KILL_INTERVAL_S, seconds / 5)))
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trouble")

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


def _ticking(watch: Watch, ledger: Ledger, seconds: float, say: Callable[[str], None]) -> Callable[[], bool]:
    sample_due, say_due = every(min(SAMPLE_S, seconds / SAMPLES)), every(60.0)

    def over() -> bool:
        now = time.monotonic()
        if sample_due():
            watch.take_sample()
            ledger.settle(watch.history, now - KEPT_S)
        if say_due() and watch.samples:
            say(str(watch.samples[-1]))
        return now > watch.begun + seconds

    return over


def _last_code(answers: list[Answer]) -> str:
    return answers[-1].code if answers else "none"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)


@click.command(help=__doc__)
@click.option("--minutes", default=60.0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "data" / "soak", help="A folder; data/soak.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
@click.option("--workers", default=2, show_default=True, help="Worker processes.")
@click.option("--seed", default=1, show_default=True, help="Of all that is random.")
def main(minutes: float, out: Path, as_json: bool, workers: int, seed: int) -> None:
    check_machine()
    install_exit_guard()
    try:
        with tempfile.TemporaryDirectory(prefix="facegate-soak-") as folder:
            result = soak(Path(folder), minutes, workers, seed, lambda text: click.echo(text, err=True))
    except (SimError, TimeoutError, OSError) as error:
        click.echo(f"It can't be run: {error}", err=True)
        sys.exit(2)
    out.mkdir(parents=True, exist_ok=True)
    (out / "soak.json").write_text(json.dumps(result))
    if not plot([Sample(**each) for each in result["samples"]], result["faults"], out / "soak.png"):
        click.echo("No soak.png: matplotlib is not installed (the extra plot).", err=True)
    click.echo(json.dumps(result) if as_json else told(result))
    sys.exit(0 if result["passed"] else 1)


def told(result: dict[str, Any]) -> str:
    lines = [
        f"{name}: {rule['figure']} (limit {rule['limit']}): {'kept' if rule['kept'] else 'NOT KEPT'}"
        for name, rule in result["rules"].items()
    ]
    return "\n".join([*lines, "steady" if result["passed"] else "not steady"])


if __name__ == "__main__":
    main()
