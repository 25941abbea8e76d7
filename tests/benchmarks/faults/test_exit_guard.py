from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT, WAIT_S

CODE = """
import os, signal, threading, time
from benchmarks.faults.exit_guard import install_exit_guard
install_exit_guard()
try:
    {what}
    time.sleep(1000)
finally:
    print("cleaned up")
"""


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM)", 1),
        ("threading.Thread(target=lambda: 1 / 0).start()", 2),
    ],
)
def test_guard_unwinds_after_a_signal_or_a_failed_thread(what: str, status: int) -> None:
    code = CODE.format(what=what)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == status
    assert done.stdout == "cleaned up\n"
    assert ("ZeroDivisionError" in done.stderr) == (status == 2)
