"""Processor time and memory of the gateway's worker processes, from Linux's /proc."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.installation import Installation
from benchmarks.faults.processes import PROC, end
from benchmarks.processor_time import processor_ms

WORKER_MODULE = b"gateway.workers.process"
RESET_PEAK = "5"
"""Written to clear_refs, it sets the peak of a process to its present memory (proc(5))."""

_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_NOW = re.compile(r"VmRSS:\s+(\d+) kB")


@dataclass(frozen=True, slots=True)
class Usage:
    """The processor time that a worker process has used, in seconds, and its present memory in MB."""

    cpu_s: float
    mb: float


class Workers:
    """The worker processes of an installation."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._count = len(self._pids())

    def begin(self) -> Mapping[int, Usage]:
        """Return the usage of each worker process, and begin to look for its peak of memory."""
        for pid in self._pids():
            with suppress(OSError):
                Path(PROC, str(pid), "clear_refs").write_text(RESET_PEAK)
        return {pid: Usage(_cpu_s(pid), _read_mb(pid, _NOW)) for pid in self._pids()}

    def spent_since(self, begun: Mapping[int, Usage]) -> Usage:
        """Return the processor time of all worker processes since then, and the most memory that one took beyond that.

        A worker process that began later does not count: its start is no part of a picture.
        """
        alive = [(pid, usage) for pid, usage in begun.items() if _is_worker(pid)]
        cpu_s = sum(_cpu_s(pid) - usage.cpu_s for pid, usage in alive)
        return Usage(cpu_s, max((_read_mb(pid, _PEAK) - usage.mb for pid, usage in alive), default=0.0))

    def kill_all(self) -> None:
        """Kill all worker processes, and wait until others have begun."""
        killed = self._installation.gateway.children()
        end({pid: began for pid, began in killed.items() if _is_worker(pid)})
        while len(set(self._pids()) - killed.keys()) < self._count:
            time.sleep(0.1)

    def largest_mb(self) -> float:
        """Return the largest present memory of a worker process."""
        return max((_read_mb(pid, _NOW) for pid in self._pids()), default=0.0)

    def _pids(self) -> list[int]:
        return [pid for pid in self._installation.gateway.children() if _is_worker(pid)]


def _is_worker(pid: int) -> bool:
    return WORKER_MODULE in _read(pid, "cmdline")


def _cpu_s(pid: int) -> float:
    try:
        return processor_ms(pid) / 1000
    except OSError:
        # The process has ended.
        return 0.0


def _read_mb(pid: int, figure: re.Pattern[str]) -> float:
    found = figure.search(_read(pid, "status").decode(errors="replace"))
    return int(found[1]) / 1000 if found else 0.0


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(PROC, str(pid), name).read_bytes()
    except OSError:
        return b""
