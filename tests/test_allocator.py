from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import os
from gateway.allocator import give_back_large_blocks, share_one_arena

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

share_one_arena()
give_back_large_blocks()
bytes(30_000_000)  # after this is freed, glibc takes smaller blocks from its heap
before = resident()
pictures, answers = [], []
for n in range(20):
    pictures.append(b"x" * 9_000_000)
    answers.append(b"y" * 100_000)  # lies behind the picture, and is kept
held = resident()
pictures.clear()
print(held - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is configured")
def test_freed_pictures_return_to_the_system() -> None:
    """Regression: 250 live frames of 10 MB left the gateway at 2.5 GB."""
    words = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True).stdout.split()
    held, left = map(int, words)
    assert held > 170_000_000
    assert left < 20_000_000
