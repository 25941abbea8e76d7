from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.workers.process_state import resident_bytes, thread_count

HOLDS_50_MB = "held = bytearray(b'x') * 50_000_000; print(flush=True); input()"


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system has no /proc")


@pytest.mark.slow
@needs_proc
def test_resident_bytes_include_the_memory_of_the_process() -> None:
    """The test uses a separate process, because threads of other tests may allocate memory in this one."""
    command = [sys.executable, "-c", HOLDS_50_MB]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held = resident_bytes(process.pid)
        process.communicate(b"\n")
    assert held is not None
    assert 50_000_000 < held < 100_000_000


HAS_FOUR_THREADS = """
import threading
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print(flush=True)
input()
"""


@pytest.mark.slow
@needs_proc
def test_thread_count_includes_all_threads_of_the_process() -> None:
    command = [sys.executable, "-c", HAS_FOUR_THREADS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert thread_count(process.pid) == 4
        process.communicate(b"\n")


def test_missing_process_has_neither_memory_nor_threads() -> None:
    # This number is above the largest process id of Linux.
    assert resident_bytes(2**22 + 1) is None
    assert thread_count(2**22 + 1) is None
