"""Processes that end with the process that started them, also if that one is killed and cleans up nothing."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

WATCHER = Path(__file__).with_name("parent_watcher.py")

_lock = threading.Lock()
_watchers: dict[int, subprocess.Popen[bytes]] = {}
"""The watcher of each process that this module was imported in: a fork has the entry of its parent too."""


def end_with_this_process(pid: int, number: signal.Signals = signal.SIGTERM, folder: Path | None = None) -> None:
    """Let a process get a signal when this process ends, however it ends. ``folder``: is deleted then.

    Nothing happens to a process that has ended before, and to its folder.
    """
    # A signal for the death of the parent (PR_SET_PDEATHSIG) comes already when the thread ends that started the child.
    line = json.dumps({"pid": pid, "number": int(number), "folder": None if folder is None else str(folder)})
    with _lock:
        watcher = _watchers.get(os.getpid())
        if watcher is None or watcher.poll() is not None:
            watcher = _watchers[os.getpid()] = _start_watcher()
        assert watcher.stdin is not None
        # A watcher that was killed guards nothing, and that must not stop the work.
        with suppress(OSError):
            watcher.stdin.write(line.encode() + b"\n")
            watcher.stdin.flush()


def _start_watcher() -> subprocess.Popen[bytes]:
    # The watcher reads the end of its input when this process has ended. It has a session of its own: a signal to the
    # process group of this process must not end the watcher too.
    watcher = subprocess.Popen(
        [sys.executable, "-IS", WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    atexit.register(_end, watcher, os.getpid())
    return watcher


def _end(watcher: subprocess.Popen[bytes], owner: int) -> None:
    """Let the watcher end, with all processes that still run."""
    # A fork has the functions of its parent too.
    if os.getpid() == owner:
        watcher.communicate()
