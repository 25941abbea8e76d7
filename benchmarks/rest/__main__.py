"""REST against a plain server: ``python -m benchmarks.rest [--json]``.

The benchmark starts a broker, ``facegate run`` and a plain server (benchmarks/rest/plain_server.py) on free ports of
this machine. For 1, 8 and 64 clients it measures in turn how many ``POST /face_rec`` both answer in a second, and how
long the clients wait. All processes share all processor cores. The pictures are those of the simulator, 480 lines high.

Then it measures the latency for 8 clients in turn without and beside 50 open event streams, while a live camera sends
two frames a second. The figures are medians over the rounds. The exit code is 1 if a figure does not keep its limit.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from benchmarks.faults.history import History
from benchmarks.faults.installation import Installation
from benchmarks.instructions import used_instructions
from benchmarks.rest.camera import live_camera
from benchmarks.rest.clients import ClientsResult, ClientsTask, ask_in_process
from benchmarks.rest.figures import FLOORS, compare, compare_streams, in_limits
from benchmarks.rest.setup import ROOT
from benchmarks.rest.streams import StreamsTask, open_streams
from device_sim.errors import SimError
from device_sim.ports import free_port
from gateway.vision.engines.conversion import converted_models_folder

WARM_UP_S = 3.0
STREAM_CLIENTS = 8
PLAIN_SERVER = "Flask's development server with threads; the descriptors of known people are computed at its start"


@click.command(help=__doc__)
@click.option("--rounds", default=3, show_default=True)
@click.option("--seconds", default=12.0, show_default=True, help="Time in which the clients of a measurement send.")
@click.option("--clients", multiple=True, type=int, default=tuple(FLOORS), show_default=True)
@click.option("--streams", default=50, show_default=True, help="Open event streams; 0 for none.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(rounds: int, seconds: float, clients: tuple[int, ...], streams: int, as_json: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="facegate-rest-") as folder:
        try:
            figures = measure(Path(folder), rounds, seconds, clients, streams)
        except (SimError, OSError) as error:
            click.echo(f"The benchmark cannot run: {error}", err=True)
            sys.exit(2)
    click.echo(json.dumps(figures) if as_json else json.dumps(figures, indent=2))
    sys.exit(0 if figures["in_limits"] else 1)


def measure(folder: Path, rounds: int, seconds: float, clients: tuple[int, ...], streams: int) -> dict[str, Any]:
    """Return all figures. Raise SimError or OSError."""
    cores = len(os.sched_getaffinity(0))
    figures: dict[str, Any] = {}
    with ExitStack() as stack:
        gateway = stack.enter_context(Installation(folder, History(), random.Random(0), workers=cores))
        plain = stack.enter_context(plain_server())
        for port in (gateway.rest_port, plain):
            ask_in_process(ClientsTask(port, cores, WARM_UP_S))
        for number in clients:
            figures[str(number)] = _measure_clients(gateway.rest_port, plain, number, rounds, seconds)
        if streams:
            figures["streams"] = _measure_streams(gateway, streams, rounds, seconds)
    setting = used_instructions(converted_models_folder(folder / "data"))
    del setting["implementations"]
    figures |= {"plain": PLAIN_SERVER, "rounds": rounds, "seconds": seconds, "cores": cores, **setting}
    return {**figures, "in_limits": in_limits(figures)}


@contextmanager
def plain_server() -> Iterator[int]:
    """Run the plain server, and give its port."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.rest.plain_server", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "ready\n":
                raise OSError("the plain server does not start (it needs the package face_recognition)")
            yield port
        finally:
            process.terminate()


def _measure_clients(gateway: int, plain: int, clients: int, rounds: int, seconds: float) -> dict[str, Any]:
    results: dict[int, list[ClientsResult]] = {gateway: [], plain: []}
    for number in range(rounds):
        # Each of them comes first in every other round.
        for port in (gateway, plain) if number % 2 == 0 else (plain, gateway):
            results[port].append(ask_in_process(ClientsTask(port, clients, seconds)))
    return compare(results[gateway], results[plain])


def _measure_streams(gateway: Installation, streams: int, rounds: int, seconds: float) -> dict[str, Any]:
    task = ClientsTask(gateway.rest_port, STREAM_CLIENTS, seconds)
    alone, beside, events = [], [], 0
    with live_camera(gateway.port):
        for _ in range(rounds):
            alone.append(ask_in_process(task))
            with open_streams(StreamsTask(gateway.rest_port, streams)) as received:
                beside.append(ask_in_process(task))
            events += received["events"]
    return {"streams": streams, "clients": STREAM_CLIENTS, "events": events, **compare_streams(alone, beside)}


if __name__ == "__main__":
    main()
