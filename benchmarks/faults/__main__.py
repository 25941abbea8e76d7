"""What happens to requests when things break: ``python -m benchmarks.faults [--json]``.

A broker and ``facegate run`` are started on free ports of this machine and kept busy by devices under MQTT 3.1.1 and 5,
near what they can do. Meanwhile they are killed (-9) at random moments and started again. Every request is followed to
its answer, and every effect is looked up in the gateway's store at the end.

It ends with 0 if nothing was lost, done twice or answered in two ways and every stated limit was kept, else with 1, and
with 2 if it can't be run. docs/reference/benchmarks.md tells what each figure means.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.faults.crashes import crashes
from benchmarks.faults.flood import flood
from benchmarks.faults.guard import guard
from benchmarks.faults.network import network
from benchmarks.faults.overload import overload
from benchmarks.faults.processes import PROC
from device_sim.choose import mosquitto
from device_sim.errors import SimError

MUST_BE_ZERO = ("lost", "duplicate_effects", "differing_replies", "missing_effects")


@click.command(help=__doc__)
@click.option("--seconds", default=300.0, show_default=True, help="How long things are broken.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
@click.option(
    "--no-repeats",
    is_flag=True,
    help="Each request is sent once. A killed broker loses what it has not yet written: add --no-broker-kills.",
)
@click.option("--no-broker-kills", is_flag=True, help="The broker is only ever restarted in order.")
@click.option("--long", is_flag=True, help="Until the gateway was killed 300 times and the broker 100 times.")
@click.option("--network", "mode", flag_value="network", help="Nothing is killed; the network fails.")
@click.option("--flood", "mode", flag_value="flood", help="One camera asks 300 times a second: what the others feel.")
@click.option(
    "--overload",
    "mode",
    flag_value="overload",
    help="Five times what it can do: is all answered, and is it still as fast?",
)
@click.option("--seed", type=int, help="Of all that is random.")
@click.option("--workers", default=2, show_default=True, help="Worker processes.")
@click.option("--history", type=click.File("w"), help="A file for all that was seen, as JSON lines.")
@click.option("--rounds", default=12, show_default=True, help="Of --flood and --overload.")
def main(as_json: bool, mode: str | None, seed: int | None, **options: Any) -> None:
    check_machine()
    guard()
    options["seed"] = random.randrange(2**32) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="facegate-faults-") as folder:
        try:
            result = MODES[mode](Path(folder), options)
        except (SimError, TimeoutError, OSError) as error:
            click.echo(f"It can't be run: {error}", err=True)
            sys.exit(2)
    result["passed"] = passed(result)
    click.echo(json.dumps(result) if as_json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    sys.exit(0 if result["passed"] else 1)


def measure_kills(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return crashes(
        folder,
        say,
        seconds=options["seconds"],
        repeats=not options["no_repeats"],
        broker_kills=not options["no_broker_kills"],
        long=options["long"],
        workers=options["workers"],
        seed=options["seed"],
        out=options["history"],
    )


def measure_network(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return network(
        folder,
        say,
        seconds=options["seconds"],
        workers=options["workers"],
        seed=options["seed"],
        out=options["history"],
    )


def measure_flood(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return flood(folder, say, rounds=options["rounds"], workers=options["workers"])


def measure_overload(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    return overload(folder, say, rounds=options["rounds"], workers=options["workers"])


MODES = {None: measure_kills, "network": measure_network, "flood": measure_flood, "overload": measure_overload}


def passed(result: dict[str, Any]) -> bool:
    """What must be 0 is, and what has a limit of its own is within it."""
    return not any(result.get(name) for name in MUST_BE_ZERO) and result.get("in_limits", True)


def say(text: str) -> None:
    click.echo(text, err=True)


def check_machine() -> None:
    """Ends with 2 where something is missing."""
    if mosquitto() is None:
        click.echo("mosquitto is not installed: sudo apt-get install mosquitto", err=True)
        sys.exit(2)
    if not PROC.is_dir():
        click.echo("This needs Linux: processes are looked up in /proc.", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
