"""What happens to requests when things break: ``python -m benchmarks.faults [--json]``.

A broker and ``facegate run`` are started on free ports of this machine and kept busy by devices under MQTT 3.1.1 and 5,
near what they can do. Meanwhile they are killed (-9) at random moments and started again. Every request is followed to
its answer, and every effect is looked up in the gateway's store at the end.

It ends with 0 if nothing was lost, done twice or answered in two ways, else with 1, and with 2 if it can't be run.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click

from benchmarks.faults.crashes import crashes
from benchmarks.faults.processes import PROC
from device_sim.choose import mosquitto
from device_sim.errors import SimError

MUST_BE_ZERO = ("lost", "duplicate_effects", "differing_replies", "missing_effects")


@click.command(help=__doc__)
@click.option("--seconds", default=300.0, show_default=True, help="How long things are broken.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
@click.option("--no-repeats", is_flag=True, help="Each request is sent once.")
@click.option("--no-broker-kills", is_flag=True, help="The broker is only ever restarted in order.")
@click.option("--long", is_flag=True, help="Until the gateway was killed 300 times and the broker 100 times.")
@click.option("--network", is_flag=True, help="Nothing is killed; the network fails.")
@click.option("--flood", is_flag=True, help="One camera asks 300 times a second: what the others feel.")
@click.option("--overload", is_flag=True, help="Five times what it can do: is all answered, and is it still as fast?")
@click.option("--seed", type=int, help="Of all that is random.")
@click.option("--workers", default=2, show_default=True, help="Worker processes.")
@click.option("--history", type=click.File("w"), help="A file for all that was seen, as JSON lines.")
@click.option("--rounds", default=3, show_default=True, help="Of --flood and --overload.")
def main(as_json: bool, network: bool, flood: bool, overload: bool, **options: Any) -> None:
    check_machine()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # in order, so that nothing is left running
    options["seed"] = random.randrange(2**32) if options["seed"] is None else options["seed"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="facegate-faults-")))
        try:
            result = run(folder, network=network, flood=flood, overload=overload, **options)
        except (SimError, TimeoutError, OSError) as error:
            click.echo(f"It can't be run: {error}", err=True)
            sys.exit(2)
    click.echo(json.dumps(result) if as_json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    sys.exit(0 if passed(result) else 1)


def run(folder: Path, *, network: bool, flood: bool, overload: bool, **options: Any) -> dict[str, Any]:
    return killed(folder, **options)


def killed(
    folder: Path,
    *,
    seconds: float,
    no_repeats: bool,
    no_broker_kills: bool,
    long: bool,
    workers: int,
    seed: int,
    history: TextIO | None,
    rounds: int,
) -> dict[str, Any]:
    return crashes(
        folder,
        say,
        seconds=seconds,
        repeats=not no_repeats,
        broker_kills=not no_broker_kills,
        long=long,
        workers=workers,
        seed=seed,
        out=history,
    )


def passed(result: dict[str, Any]) -> bool:
    return not any(result.get(name) for name in MUST_BE_ZERO) and result.get("passed", True)


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
