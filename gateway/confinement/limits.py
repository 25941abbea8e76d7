"""Limits of a process that the system has had for long: resources, privileges, core dumps, its end with its parent.

A system without one of them, such as macOS, goes without it: ``prctl`` exists on Linux only.
"""

from __future__ import annotations

import ctypes
import resource
import signal
import sys
from pathlib import Path

# linux/prctl.h
_PARENT_DEATH_SIGNAL, _DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38

MAX_OPEN_FILES = 64
"""Files that a worker process may have open at a time. It needs about ten while it loads the models."""


def hide_memory() -> None:
    """Let no other process of the same user trace this one, or read its memory, environment and open files.

    The process writes no core dump then. Root may still do all of it.
    """
    _prctl(_DUMPABLE, 0)


def give_up_privileges() -> None:
    """Let no program that this process starts have more privileges, as with a set-user-ID bit."""
    _prctl(_NO_NEW_PRIVILEGES, 1)


def end_with_parent() -> None:
    """Let the system end this process when the thread that started it ends."""
    _prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def limit_files() -> None:
    """Forbid core dumps and bytes written into files, and limit the number of open files."""
    # A process that writes to a file gets an error in place of the signal, which Python ignores.
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
    ):
        resource.setrlimit(limit, (most, most))


def limit_memory(growth_bytes: int) -> None:
    """Limit the memory that this process may take in addition to the present one. Linux only.

    Private memory that can be written counts, used or not. Address space that is only reserved does not: allocators
    reserve far more than they use.
    """
    if (used := _data_bytes()) is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (used + growth_bytes,) * 2)


def _data_bytes() -> int | None:
    """Return the bytes that count for RLIMIT_DATA; None on a system without /proc."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:")), None)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
