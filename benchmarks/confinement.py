"""The cost of the confinement of worker processes: ``python -m benchmarks.confinement [--json]``.

Two worker processes, of which one is confined, get the same pictures in turns. The figure is the processor time of the
process for each picture, and the ratio of the two. The system counts it in steps of 10 ms, so each turn has many
pictures.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import click

from benchmarks.engines import LIMITS, ROOT
from gateway.model import AnalyseTask, LiveTask, Task
from gateway.vision.engines.options import EngineOptions
from gateway.workers.conversion import ensure_converted
from gateway.workers.options import WorkerOptions
from gateway.workers.worker import Worker, worker_command

TURNS = 10
PICTURES_A_TURN = {"face_rec": 15, "enrol": 15, "still_frame": 300}
PICTURE_S = 60.0


def start_worker(models: Path, *, confined: bool) -> Worker:
    worker = Worker(worker_command(WorkerOptions(EngineOptions("facegate", models), LIMITS, confined)))
    worker.wait_until_ready()
    return worker


def processor_ms(worker: Worker) -> float:
    """Return the processor time of a process since its start, from Linux's /proc (proc(5))."""
    fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tasks(worker: Worker, picture: bytes) -> Mapping[str, Task]:
    thumbnail = worker.run(picture, LiveTask(full=True), PICTURE_S).thumbnail
    return {
        "face_rec": AnalyseTask(),
        "enrol": AnalyseTask(descriptors="enrolment", landmarks=468, chips=True),
        "still_frame": LiveTask(thumbnail=thumbnail),
    }


def run_turn(worker: Worker, picture: bytes, task: Task, count: int) -> float:
    """Return the processor time for each picture in milliseconds."""
    before = processor_ms(worker)
    for _ in range(count):
        worker.run(picture, task, PICTURE_S)
    return (processor_ms(worker) - before) / count


def measure(workers: Mapping[str, Worker], picture: bytes) -> dict[str, dict[str, float]]:
    found = {}
    for name, task in tasks(workers["confined"], picture).items():
        taken = dict.fromkeys(workers, 0.0)
        for turn in range(TURNS + 1):
            for kind, worker in workers.items():
                ms = run_turn(worker, picture, task, PICTURES_A_TURN[name])
                # The first turn fills caches.
                taken[kind] += ms / TURNS if turn else 0.0
        figures = {f"{kind}_ms": round(ms, 2) for kind, ms in taken.items()}
        found[name] = {**figures, "ratio": round(taken["confined"] / taken["not_confined"], 3)}
    return found


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def main(as_json: bool) -> None:
    models = ensure_converted(ROOT / "data")
    workers = {name: start_worker(models, confined=name == "confined") for name in ("confined", "not_confined")}
    try:
        found = measure(workers, (ROOT / "device_sim" / "frames" / "obama_1.jpg").read_bytes())
    finally:
        for worker in workers.values():
            worker.kill()
    if as_json:
        click.echo(json.dumps(found))
    else:
        for name, figures in found.items():
            click.echo(f"{name}: {figures}")


if __name__ == "__main__":
    main()
