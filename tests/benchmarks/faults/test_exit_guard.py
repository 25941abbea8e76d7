from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

CODE = """
import os, signal, threading, time
from benchmarks.faults.exit_guard import guard
guard()
try:
    {what}
    time.sleep(20)
finally:
    print("in order")
"""


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", 1),
        ("threading.Thread(target=lambda: 1 / 0).start()", 2),
    ],
)
def test_it_ends_in_order_and_a_thread_that_fails_is_no_result(what: str, status: int) -> None:
    code = CODE.format(what=what)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=15)
    assert done.returncode == status
    assert done.stdout == "in order\n"
    assert ("ZeroDivisionError" in done.stderr) == (status == 2)
