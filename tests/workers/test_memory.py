from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from gateway.workers.memory import resident_bytes


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell memory sizes")
def test_what_a_process_holds_is_counted() -> None:
    before = resident_bytes(os.getpid())
    # Not bytes: they may get memory that an earlier test has left in the process.
    held = mmap.mmap(-1, 50_000_000)
    held.write(b"x" * len(held))
    after = resident_bytes(os.getpid())
    assert before is not None
    assert after is not None
    assert 40_000_000 < after - before < 60_000_000
    held.close()


def test_of_a_process_that_is_not_there_nothing_is_known() -> None:
    assert resident_bytes(2**22 + 1) is None  # above the largest process id of Linux
