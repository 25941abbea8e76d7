from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.workers.process_memory import resident_bytes

HOLDS_50_MB = "held = bytearray(b'x') * 50_000_000; print(flush=True); input()"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not report memory sizes")
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


def test_resident_bytes_of_a_missing_process_are_none() -> None:
    assert resident_bytes(2**22 + 1) is None  # above the largest process id of Linux
