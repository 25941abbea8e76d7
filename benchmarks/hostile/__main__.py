"""The hostile benchmark: ``python -m benchmarks.hostile [--count 200000] [--resume] [--json]``.

It starts a broker and ``facegate run`` on free ports of this machine, and sends inputs that are meant to hurt them:
damaged pictures, hostile fields in well-formed requests, damaged payloads and forms, and bytes that are no requests.
First it asks about the pictures that cost most, each alone. After each 1,000 inputs it asks over both interfaces who a
known person is. At the end it asks again about the slowest pictures, each alone.

The figures are stored in a folder after each 1,000 inputs. ``--resume`` adds to them. ``--only`` sends one input.

The exit code is 0 if every limit was kept, otherwise 1. It is 2 if the benchmark cannot run.
docs/reference/benchmarks.md describes the figures.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks.faults.__main__ import check_machine, report
from benchmarks.faults.exit_guard import install_exit_guard
from benchmarks.faults.history import History
from benchmarks.faults.installation import Installation
from benchmarks.hostile.campaign import Campaign
from benchmarks.hostile.generator import Generator
from benchmarks.hostile.special_pictures import small_pictures
from benchmarks.hostile.tally import Tally, load, save
from device_sim.errors import SimError

SETTINGS = {
    # The benchmark may run for hours beside other programs. An input that costs much is found by its processor time.
    "FACEGATE_MQTT__ANSWER_S": "35",
    # Each frame gets an answer, and each operation can succeed.
    "FACEGATE_LIVE__UNCHANGED_ANSWER_S": "0",
    "FACEGATE_MQTT__EXPORT": "true",
    "FACEGATE_MQTT__TRUST_BROKER": "true",
    # A store that fills up is one of the attacks. A small one is full after a few hundred of the inputs.
    "FACEGATE_PEOPLE__MOST": "60",
    "FACEGATE_PEOPLE__PICTURES_PER_PERSON": "8",
}
FIGURES_FILE = "figures.json"
TRACEBACK = "Traceback (most recent call last)"
REPORT_EVERY = 10
"""Batches between two lines about the progress."""


@click.command(help=__doc__)
@click.option("--count", default=200_000, show_default=True, help="Number of inputs, those of earlier runs included.")
@click.option("--resume", is_flag=True, help="Add to the figures of the last run.")
@click.option("--minutes", type=float, default=float("inf"), help="End after so many minutes. Default: no limit.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the inputs.")
@click.option("--only", type=int, help="Send the input with this number alone, and print its answer.")
@click.option("--pictures", type=click.Path(exists=True, path_type=Path), help="Folder with further costly pictures.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/hostile"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(
    count: int,
    resume: bool,
    minutes: float,
    seed: int,
    only: int | None,
    pictures: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    check_machine()
    install_exit_guard()
    figures = out / FIGURES_FILE
    tally = load(figures) if resume and figures.exists() else Tally(seed)
    generator = Generator(tally.seed, list(small_pictures().values()))
    try:
        with run_campaign(generator, tally) as campaign:
            if only is not None:
                click.echo(campaign.ask_alone(only))
                return
            campaign.measure_large_pictures(_read_pictures(pictures))
            for n, _ in enumerate(campaign.run(count, time.monotonic() + 60 * minutes), 1):
                save(tally, figures)
                if n % REPORT_EVERY == 0:
                    report(f"{tally.inputs} inputs in {tally.seconds:.0f} s: {tally.examples[-1:] or 'all well'}")
            campaign.measure_slowest()
        save(tally, figures)
    except (SimError, TimeoutError, OSError) as error:
        click.echo(f"The benchmark cannot run: {error}", err=True)
        sys.exit(2)
    summary = tally.summary()
    click.echo(json.dumps(summary) if as_json else "\n".join(f"{name}: {each}" for name, each in summary.items()))
    sys.exit(0 if tally.passed else 1)


@contextmanager
def run_campaign(generator: Generator, tally: Tally) -> Iterator[Campaign]:
    """Run a broker and a gateway until the context ends."""
    with tempfile.TemporaryDirectory(prefix="facegate-hostile-") as folder:
        rng = random.Random(tally.seed)
        with Installation(Path(folder), History(), rng, workers=2, settings=SETTINGS) as installation:
            yield Campaign(installation, generator, tally, report)
        tally.tracebacks += Path(folder, "gateway.log").read_text(errors="replace").count(TRACEBACK)


def _read_pictures(folder: Path | None) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder with their names."""
    for path in sorted(folder.iterdir()) if folder is not None else ():
        if path.is_file():
            yield path.name, path.read_bytes()


if __name__ == "__main__":
    main()
