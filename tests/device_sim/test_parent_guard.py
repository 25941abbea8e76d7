"""Processes that end with their parent, in whatever way it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, wait_for

PARENT = """
import signal, subprocess, sys, threading, time
from pathlib import Path
from device_sim.parent_guard import end_with_this_process

def start(number, folder=None):
    child = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, start_new_session=True)
    end_with_this_process(child.pid, number, folder)
    print(child.pid, flush=True)

# The end of the thread that started a child means nothing.
thread = threading.Thread(target=start, args=(signal.SIGTERM, Path(sys.argv[1])))
thread.start()
thread.join()
start(signal.SIGKILL)
time.sleep(600)
"""


def is_running(pid: int) -> bool:
    """Return whether a process runs. One that nobody waits for stays as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    command = [sys.executable, "-c", PARENT, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(map(is_running, pids))
        # The whole group, as a terminal does it.
        os.killpg(parent.pid, number)
    wait_for(lambda: not any(map(is_running, pids)))
    wait_for(lambda: not folder.exists())
