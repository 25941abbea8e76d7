"""Child processes that can be killed and started again, and their usage from Linux's /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from device_sim.parent_guard import end_with_this_process

STOP_TIMEOUT_S = 15.0
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of one process. ``started``: distinguishes it from a later process with the same pid."""

    pid: int
    started: int
    rss_mb: float
    threads: int
    fds: int


class Process:
    """A child process in its own session, so that Ctrl-C does not reach it. Its output is appended to ``log``."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        cores: Collection[int] = (),
    ) -> None:
        """``cores``: the only processor cores for the process and its children; empty for all."""
        self._command = list(command)
        self._log = log
        self._folder = folder
        self._cores = cores
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._family: dict[int, int] = {}

    @property
    def pid(self) -> int | None:
        """The process id, or None while the process does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )
        end_with_this_process(self._process.pid)
        if self._cores:
            os.sched_setaffinity(self._process.pid, self._cores)

    def kill(self, *, family: bool = False) -> None:
        """Kill the process immediately. ``family``: also kill its children."""
        # Another thread may start the next process while this one is awaited.
        process = self._process
        if process is None or self.pid is None:
            return
        children = self.children()
        process.kill()
        if family:
            end(children)
        process.wait()

    def stop(self) -> None:
        """Stop the process with SIGTERM, and kill it after STOP_TIMEOUT_S."""
        process = self._process
        if process is None or self.pid is None:
            return
        self.children()
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill(family=True)

    def signal(self, number: int) -> None:
        if self._process is not None and self.pid is not None:
            self._process.send_signal(number)

    def children(self) -> dict[int, int]:
        """Return the descendants: pid and start time. They are remembered for ``left_over``."""
        found = descendants(self.pid) if self.pid is not None else {}
        self._family |= found
        return found

    def left_over(self) -> dict[int, int]:
        """Return the descendants of all its runs that are still running."""
        return {pid: began for pid, began in self._family.items() if started(pid) == began}


def end(pids: Mapping[int, int]) -> None:
    """Kill these processes, unless another process got the pid meanwhile."""
    for pid, began in pids.items():
        if started(pid) == began:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> dict[int, int]:
    """Return the descendants: pid and start time, in clock ticks since the boot."""
    children: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, todo = {}, children.get(pid, [])
    while todo:
        child = todo.pop()
        began = started(child)
        if began is not None:
            found[child] = began
            todo = [*todo, *children.get(child, [])]
    return found


def started(pid: int) -> int | None:
    """Return the start time of a process, or None if it does not run."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def usage(pid: int) -> Usage | None:
    """Return the usage of a process, or None if it has ended."""
    fields = _stat(pid)
    try:
        fds = len(list((PROC / str(pid) / "fd").iterdir()))
    except OSError:
        return None
    if not fields:
        return None
    return Usage(pid, int(fields[19]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6, int(fields[17]), fds)


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat after the name, which may contain any characters (proc(5))."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def age(process: Usage) -> float:
    """Return the seconds since the process started."""
    up = float((PROC / "uptime").read_text().split()[0])
    return up - process.started / os.sysconf("SC_CLK_TCK")
