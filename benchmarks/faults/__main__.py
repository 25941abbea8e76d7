"""The fault bench: ``python -m benchmarks.faults [--json]`` tests that no request is lost when parts fail.

It starts a broker and ``facegate run`` on free ports of this machine. Simulated devices with MQTT 3.1.1 and 5 send
nearly as many requests as the gateway can answer. Meanwhile broker and gateway are killed (-9) at random moments and
started again. The bench follows every request to its answer. At the end it checks every change in the gateway's store.

The exit code is 0 if no request was lost, done twice or answered in two ways, and if every limit was kept. Otherwise it
is 1. It is 2 if the bench cannot run. docs/reference/benchmarks.md describes the figures.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.faults.crashes import run_crashes
from benchmarks.faults.exit_guard import install_exit_guard
from benchmarks.faults.flood import run_flood
from benchmarks.faults.network import run_network
from benchmarks.faults.overload import run_overload
from benchmarks.faults.processes import PROC
from benchmarks.faults.replicas.run import run_replicas
from benchmarks.faults.slow_clients import run_slow_clients
from device_sim.broker_choice import find_mosquitto
from device_sim.errors import SimError

MUST_BE_ZERO = (
    "lost",
    "duplicate_effects",
    "differing_replies",
    "missing_effects",
    "erased_but_named",
    "enrolled_but_unnamed",
    "refused_requests",
    "two_leaders",
    "retained_wrong",
    "cameras_not_moved",
)
"""The figures that count violations. The last ones are of replicas."""


@click.command(help=__doc__)
@click.option("--seconds", default=300.0, show_default=True, help="Duration of the faults.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option(
    "--no-repeats",
    is_flag=True,
    help="Send each request once. A killed broker loses unwritten messages, so add --no-broker-kills.",
)
@click.option("--no-broker-kills", is_flag=True, help="Do not kill the broker, only restart it.")
@click.option("--long", is_flag=True, help="Run until 300 kills of the gateway and 100 of the broker.")
@click.option("--network", "mode", flag_value="network", help="Let the network fail instead of killing processes.")
@click.option(
    "--flood", "mode", flag_value="flood", help="Measure other cameras while one sends 300 requests per second."
)
@click.option(
    "--overload",
    "mode",
    flag_value="overload",
    help="Send five times as many requests as the gateway can answer.",
)
@click.option(
    "--slow-clients",
    "mode",
    flag_value="slow-clients",
    help="Measure others while 100 slow HTTP clients and 20 floods use the gateway.",
)
@click.option(
    "--replicas",
    type=click.IntRange(2),
    help="Let so many gateways with one PostgreSQL fail, which is killed and cut off too. They have simulated workers.",
)
@click.option("--seed", type=int, help="Seed of the random numbers.")
@click.option("--workers", default=2, show_default=True, help="Number of worker processes.")
@click.option("--history", type=click.File("w"), help="File for all recorded events, as JSON lines.")
@click.option("--rounds", default=12, show_default=True, help="Rounds of --flood, --overload and --slow-clients.")
def main(as_json: bool, mode: str | None, seed: int | None, **options: Any) -> None:
    check_machine()
    install_exit_guard()
    options["seed"] = random.randrange(2**32) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="facegate-faults-") as folder:
        try:
            measure = measure_replicas if options["replicas"] else MODES[mode]
            result = measure(Path(folder), options)
        except (SimError, TimeoutError, OSError) as error:
            click.echo(f"The bench cannot run: {error}", err=True)
            sys.exit(2)
    result["passed"] = passed(result)
    click.echo(json.dumps(result) if as_json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    sys.exit(0 if result["passed"] else 1)


def measure_kills(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return run_crashes(
        folder,
        report,
        seconds=options["seconds"],
        repeats=not options["no_repeats"],
        broker_kills=not options["no_broker_kills"],
        long=options["long"],
        workers=options["workers"],
        seed=options["seed"],
        out=options["history"],
    )


def measure_replicas(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return run_replicas(
        folder,
        report,
        replicas=options["replicas"],
        seconds=options["seconds"],
        workers=options["workers"],
        seed=options["seed"],
        out=options["history"],
    )


def measure_network(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return run_network(
        folder,
        report,
        seconds=options["seconds"],
        workers=options["workers"],
        seed=options["seed"],
        out=options["history"],
    )


def measure_flood(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return run_flood(folder, report, rounds=options["rounds"], workers=options["workers"])


def measure_overload(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return run_overload(folder, report, rounds=options["rounds"], workers=options["workers"])


def measure_slow_clients(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return run_slow_clients(folder, report, rounds=options["rounds"], workers=options["workers"])


MODES = {
    None: measure_kills,
    "network": measure_network,
    "flood": measure_flood,
    "overload": measure_overload,
    "slow-clients": measure_slow_clients,
}


def passed(result: dict[str, Any]) -> bool:
    """Return whether all figures that must be 0 are 0, and all limits are kept."""
    return not any(result.get(name) for name in MUST_BE_ZERO) and result.get("in_limits", True)


def report(text: str) -> None:
    """Print the progress on standard error."""
    click.echo(text, err=True)


def check_machine() -> None:
    """End with exit code 2 if a requirement is missing."""
    if find_mosquitto() is None:
        click.echo("mosquitto is not installed: sudo apt-get install mosquitto", err=True)
        sys.exit(2)
    if not PROC.is_dir():
        click.echo("The bench needs Linux, because it reads /proc.", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
