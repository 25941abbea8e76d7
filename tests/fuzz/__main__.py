"""The fuzzer with coverage: ``python -m tests.fuzz [--seconds 60] [TARGET ...]`` (``make fuzz``).

It lets atheris try inputs on each parser of ``tests/fuzz/targets.py``. Inputs that reach new code are kept in the
folder ``data/fuzz/<target>``, and the next run begins with them. An input that ends with another error than those that
the parser promises is written to ``data/fuzz/crashes``, and the exit code is 1.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import atheris
import click

with atheris.instrument_imports(include=["gateway", "werkzeug.sansio"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path("data/fuzz")
MAX_INPUT_BYTES = 20_000
INPUT_TIMEOUT_S = 10
"""An input that takes longer counts as a fault."""
MEMORY_LIMIT_MB = 2_000


@click.command(help=__doc__)
@click.option("--seconds", default=60, show_default=True, help="Time for each parser.")
@click.option("--one", is_flag=True, hidden=True, help="Fuzz one parser in this process.")
@click.argument("targets", nargs=-1, type=click.Choice(list(TARGETS)))
def main(seconds: int, one: bool, targets: tuple[str, ...]) -> None:
    if one:
        fuzz(targets[0], seconds)
    # atheris ends its process, so each parser has a process of its own.
    failed = [name for name in targets or TARGETS if not run(name, seconds)]
    click.echo(f"other errors than promised: {', '.join(failed)}" if failed else "all parsers raise what they promise")
    sys.exit(1 if failed else 0)


def run(name: str, seconds: int) -> bool:
    """Fuzz one parser in a process of its own. Return whether it raised only what it promises."""
    click.echo(f"{name}:")
    command = [sys.executable, "-m", "tests.fuzz", "--one", "--seconds", str(seconds), name]
    return subprocess.run(command, check=False).returncode == 0


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one parser, and end the process."""
    folder, crashes = CORPUS / name, CORPUS / "crashes"
    for each in (folder, crashes):
        each.mkdir(parents=True, exist_ok=True)
    for n, seed in enumerate(TARGETS[name].seeds()):
        (folder / f"seed{n}").write_bytes(seed)
    options = {
        "max_total_time": seconds,
        "max_len": MAX_INPUT_BYTES,
        "timeout": INPUT_TIMEOUT_S,
        "rss_limit_mb": MEMORY_LIMIT_MB,
        "artifact_prefix": f"{crashes}/{name}-",
        "print_final_stats": 1,
        "verbosity": 0,
    }
    arguments = [f"-{option}={each}" for option, each in options.items()]
    atheris.Setup([sys.argv[0], *arguments, str(folder)], TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
