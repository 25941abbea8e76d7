"""A worker process that notes its own processor time: ``python -m benchmarks.timed_worker FILE OPTIONS SOCKET``.

After each analysis it writes FILE: a JSON list with the processor seconds of the process at the begin and at the end of
each analysis so far.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from unittest import mock

from gateway.model import Analysis, PictureLimits, Task
from gateway.vision.engine import Engine
from gateway.vision.tasks import run_task
from gateway.workers import process


def main() -> None:
    file, *arguments = sys.argv[1:]
    times: list[tuple[float, float]] = []
    writing_s = 0.0

    def timed(data: bytes, engine: Engine, task: Task, limits: PictureLimits) -> Analysis:
        nonlocal writing_s
        begin = time.process_time() - writing_s
        try:
            return run_task(data, engine, task, limits)
        finally:
            end = time.process_time()
            times.append((begin, end - writing_s))
            Path(file).write_text(json.dumps(times))
            # The time for the file is not the worker's.
            writing_s += time.process_time() - end

    with mock.patch.object(process, "run_task", timed):
        process.main(arguments)


if __name__ == "__main__":
    main()
