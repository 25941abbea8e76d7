"""The command ``facegate benchmark``: how many pictures does this machine analyse in a second?"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from gateway.cli.operations import settings_or_exit
from gateway.cli.options import CONFIG_OPTION
from gateway.cli.output import count
from gateway.cli.recognition import new_origin, recognition
from gateway.logs import escape
from gateway.model import Operation, Recognition
from gateway.vision.engines.processor import processor_flags

SPEED_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp")
"""The flags of the processor on which the speed depends most (docs/how-to/size-a-machine.md)."""

WAITING_PICTURES = 2
"""Pictures that wait while all worker processes are busy, so that none of them is idle."""


@click.command(short_help="Measure how many pictures a second this machine analyses.")
@CONFIG_OPTION
@click.option("--seconds", type=click.FloatRange(min=0.1, max=3600), default=20, help="Time to measure. Default: 20.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for other programs.")
@click.argument("file", type=click.Path(path_type=Path))
def benchmark(config: Path | None, seconds: float, as_json: bool, file: Path) -> None:
    """Analyse the picture FILE again and again, with as many worker processes as the gateway uses.

    Nothing is stored. Stop the gateway before: the command shares the processor with it.
    """
    with settings_or_exit(config) as settings:
        workers = settings.workers.count
        with recognition(settings, workers=workers) as run:

            def analyse() -> Recognition:
                reply = run(Operation.FACE_REC, (file,), new_origin())
                assert isinstance(reply, Recognition)
                return reply

            # The first pictures of a worker process are slow.
            _repeat(analyse, workers, seconds / 5)
            first = analyse()
            done, elapsed = _repeat(analyse, workers, seconds)
    found: dict[str, Any] = {
        "workers": workers,
        "processor": _processor(),
        "instructions": [flag for flag in SPEED_FLAGS if flag in processor_flags()],
        "width": first.image.width,
        "height": first.image.height,
        "faces": len(first.faces),
        "pictures_per_second": round(done / elapsed, 2),
        "worker_ms": round(1000 * workers * elapsed / done, 1),
    }
    click.echo(json.dumps(found) if as_json else _describe(file, found))


def _repeat(analyse: Callable[[], object], workers: int, seconds: float) -> tuple[int, float]:
    """Keep all worker processes busy for some seconds. Return the number of pictures, and the time they took."""
    begin = time.monotonic()

    def work() -> int:
        done = 0
        while not done or time.monotonic() < begin + seconds:
            analyse()
            done += 1
        return done

    with ThreadPoolExecutor(workers + WAITING_PICTURES) as threads:
        tasks = [threads.submit(work) for _ in range(workers + WAITING_PICTURES)]
        done = sum(task.result() for task in tasks)
    return done, time.monotonic() - begin


def _processor() -> str:
    """Return the name of the processor, as far as the system tells it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()


def _describe(file: Path, found: dict[str, Any]) -> str:
    size = f"{found['width']} x {found['height']} pixels, {count(found['faces'], 'face')}"
    processes = count(found["workers"], "worker process", "worker processes")
    speed = (
        f"{found['pictures_per_second']:g} pictures a second, {found['worker_ms']:g} ms of a worker process for each"
    )
    instructions = ", ".join(found["instructions"]) or "none of the fast instructions"
    return f"{escape(str(file))}: {size}\n{processes}, {found['processor']} ({instructions})\nanalysed in full: {speed}"
