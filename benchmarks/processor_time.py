"""Processor time of running processes, and of a worker process beyond its engine. Needs Linux."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

from benchmarks.engines import ROOT
from gateway.model import AnalyseTask, PictureLimits
from gateway.vision.engines.conversion import convert, converted_models_folder
from gateway.vision.engines.options import EngineOptions
from gateway.workers.options import WorkerOptions
from gateway.workers.worker import Worker

_PROCESS_CLOCK = 2
"""The clock that counts user and system time of a process (CPUCLOCK_SCHED in Linux's posix-timers.h)."""

PICTURE_LIMIT_S = 60.0
CPU_ROUNDS = 10
"""Rounds in which the interfaces take turns, so that all of them meet the same state of the machine."""
SETTLE_S = 0.02
"""Time for the acknowledgements, which come after the reply."""
IDLE_S = 5.0


def cpu_ms_a_frame(
    processes: Mapping[str, int], ask: Mapping[str, Callable[[], object]], picture: bytes, frames: int
) -> dict[str, dict[str, float]]:
    """Return the processor time in ms a frame, by interface and process, with the sum as ``total``.

    ``processes``: process ids by name; ``ask``: for each interface a function that asks about the picture and waits for
    the reply; ``frames``: the number of requests over each interface.
    """
    a_round = frames // CPU_ROUNDS
    used: dict[str, Counter[str]] = {interface: Counter() for interface in ask}
    for _ in range(CPU_ROUNDS):
        for interface, send in ask.items():
            before = _used_ms(processes)
            for _ in range(a_round):
                send()
            time.sleep(SETTLE_S)
            used[interface].update(_used_ms(processes))
            used[interface].subtract(before)
    worker_ms = worker_ms_beyond_engine(picture, frames)
    return {interface: _figures(ms, a_round * CPU_ROUNDS, worker_ms) for interface, ms in used.items()}


def idle_cpu_ms_a_second(processes: Mapping[str, int]) -> dict[str, float]:
    """Return the processor time in ms that each process uses in a second, if nothing is asked."""
    before = _used_ms(processes)
    time.sleep(IDLE_S)
    return {name: round((ms - before[name]) / IDLE_S, 2) for name, ms in _used_ms(processes).items()}


def _used_ms(processes: Mapping[str, int]) -> dict[str, float]:
    return {name: processor_ms(pid) for name, pid in processes.items()}


def _figures(used_ms: Mapping[str, float], frames: int, worker_ms: float) -> dict[str, float]:
    each = {name: ms / frames for name, ms in used_ms.items()} | {"workers_beyond_engine": worker_ms}
    return {name: round(ms, 2) for name, ms in (each | {"total": sum(each.values())}).items()}


def processor_ms(pid: int) -> float:
    """Return the processor time that a process has used, ended threads included."""
    # utime and stime of /proc/<pid>/stat are the same in steps of 10 ms, the time of several frames.
    return 1000 * time.clock_gettime(~pid << 3 | _PROCESS_CLOCK)


def worker_ms_beyond_engine(picture: bytes, frames: int) -> float:
    """Return the processor time a frame that a worker process uses outside of the analysis.

    That is receiving the picture and the task, and writing and sending the report.
    """
    folder = converted_models_folder(ROOT / "data")
    convert(folder)
    # A confined process could not write its figures into a file.
    options = WorkerOptions(EngineOptions("facegate", folder), PictureLimits(), confined=False)
    with tempfile.NamedTemporaryFile(suffix=".json") as figures:
        worker = Worker([sys.executable, "-m", "benchmarks.timed_worker", figures.name, options.to_json()])
        try:
            worker.wait_until_ready()
            for _ in range(frames):
                worker.run(picture, AnalyseTask(), PICTURE_LIMIT_S)
        finally:
            worker.kill()
        times: list[list[float]] = json.loads(Path(figures.name).read_text())
    # The time between the analyses: each begins where the worker process got its job.
    between = [begin - end for (_, end), (begin, _) in pairwise(times)]
    return 1000 * sum(between) / len(between)
