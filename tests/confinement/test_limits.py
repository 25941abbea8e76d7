from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has prctl")


def output_of(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.strip()


# Root may read any process. So as root, both processes become another user first.
READ_A_PROCESS = """
import os, sys, time
from pathlib import Path
from gateway.confinement.limits import hide_memory

def read(path):
    try:
        return "read" if Path(path).read_bytes() else "empty"
    except PermissionError:
        return "refused"

if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
ends = os.pipe()
child = os.fork()
if not child:
    # A changed user id hides a process as well, until it starts a program.
    import ctypes
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
    if {hidden}:
        hide_memory()
    os.write(ends[1], b"x")
    time.sleep(60)
os.read(ends[0], 1)
print(read(f"/proc/{{child}}/environ"), read(f"/proc/{{child}}/statm"))
os.kill(child, 9)
"""


@needs_linux
@pytest.mark.parametrize(("hidden", "environment"), [(True, "refused"), (False, "read")])
def test_hidden_process_cannot_be_read_by_others_of_its_user(hidden: bool, environment: str) -> None:
    """The gateway still reads the size of a worker process, which is public."""
    assert output_of(READ_A_PROCESS.format(hidden=hidden)) == f"{environment} read"


ALLOCATE = """
from gateway.confinement.limits import limit_memory
limit_memory(100_000_000)
held = bytearray(50_000_000)
try:
    bytearray(100_000_000)
except MemoryError:
    print("refused")
del held
bytearray(80_000_000)
print("fits again")
"""


@needs_linux
def test_limited_process_cannot_take_more_memory() -> None:
    assert output_of(ALLOCATE).split("\n") == ["refused", "fits again"]


WRITE = """
import os, sys, tempfile
from gateway.confinement.limits import limit_files
file = tempfile.TemporaryFile()
limit_files()
try:
    os.write(file.fileno(), b"x")
except OSError as error:
    print(error.strerror)
files = []
try:
    while True:
        files.append(open(os.devnull))
except OSError as error:
    print(error.strerror)
"""


def test_limited_process_writes_no_file_and_opens_few() -> None:
    assert output_of(WRITE).split("\n") == ["File too large", "Too many open files"]


END_WITH_PARENT = """
import os, signal
from gateway.confinement.limits import end_with_parent
child_ends = os.pipe()
parent = os.fork()
if not parent:
    child = os.fork()
    if not child:
        end_with_parent()
        os.write(child_ends[1], b"x")
        signal.pause()
    os.read(child_ends[0], 1)
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(parent, 0)
os.close(child_ends[1])
# The pipe ends when the process that waits for a signal has ended.
print(os.read(child_ends[0], 1))
"""


@needs_linux
def test_process_ends_with_its_parent() -> None:
    assert output_of(END_WITH_PARENT) == "b''"
