from __future__ import annotations

import errno
import json
import re
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.confinement.seccomp import ALLOW, KILL_PROCESS, REFUSE, UNKNOWN_CALL, argument_rules, filter_program
from gateway.confinement.system_calls import FIRST_COMMON_NUMBER, PROCESSORS, Processor, this_processor
from tests.support import ROOT

PID = 4711

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}

every_processor = pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)


def answer(program: bytes, audit: int, number: int, arguments: Mapping[int, int] | None = None) -> int:
    """Return the answer of a filter to a system call, as the kernel computes it (classic BPF)."""
    given = [(arguments or {}).get(n, 0) for n in range(6)]
    data = struct.pack("<II8x6Q", number, audit, *given)
    steps = list(struct.iter_unpack("=HBBI", program))
    place, loaded = 0, 0
    while True:
        code, then, otherwise, value = steps[place]
        place += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
        elif code == 0x06:
            return int(value)
        else:
            holds = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            place += then if holds else otherwise


@every_processor
def test_filter_allows_the_listed_calls_and_refuses_all_others(processor: Processor) -> None:
    program = filter_program(processor, PID)
    rules = argument_rules(PID)
    plain = {number for name, number in processor.numbers.items() if name not in rules}
    for number in [*range(600), 0x40000000 + 41, 2**32 - 1]:
        refused = REFUSE if number < FIRST_COMMON_NUMBER else UNKNOWN_CALL
        if number in plain:
            assert answer(program, processor.audit, number) == ALLOW
        elif number not in processor.numbers.values():
            assert answer(program, processor.audit, number) == refused, number


@every_processor
def test_filter_ends_a_program_for_another_processor(processor: Processor) -> None:
    program = filter_program(processor, PID)
    for other in {each.audit for each in PROCESSORS.values()} - {processor.audit} | {0x40000003}:
        assert answer(program, other, processor.numbers["read"]) == KILL_PROCESS


@every_processor
@pytest.mark.parametrize(
    ("name", "argument", "allowed", "refused"),
    [
        pytest.param("ioctl", 1, [0x5421], [0x5412, 0x8901, 0], id="no bytes into a terminal"),
        pytest.param("fcntl", 1, [1, 3], [0, 4, 8, 10, 15], id="no signals by a file"),
        pytest.param("clone", 0, [0x3D0F00, 0x10000], [17, 0x4011, 0], id="threads only"),
        pytest.param("mmap", 3, [0x22, 0x02], [0x21, 0x01, 0x03], id="no shared memory"),
        pytest.param("tgkill", 0, [PID], [PID + 1, 1, 0], id="signals to itself only"),
    ],
)
def test_filter_checks_arguments(
    processor: Processor, name: str, argument: int, allowed: list[int], refused: list[int]
) -> None:
    program = filter_program(processor, PID)
    answers = {
        value: answer(program, processor.audit, processor.numbers[name], {argument: value})
        for value in allowed + refused
    }
    assert answers == {**dict.fromkeys(allowed, ALLOW), **dict.fromkeys(refused, REFUSE)}


@pytest.mark.parametrize("name", PROCESSORS)
def test_numbers_are_those_of_the_kernel(name: str) -> None:
    if not HEADERS[name].exists():
        pytest.skip("the kernel's headers are not installed (linux-libc-dev)")
    found = re.findall(r"^#define __NR(?:3264)?_(\w+) (\d+)$", HEADERS[name].read_text(), re.MULTILINE)
    kernel = {call: int(number) for call, number in found}
    processor = PROCESSORS[name]
    assert {call: kernel.get(call) for call in processor.numbers} == processor.numbers
    assert kernel["seccomp"] == processor.seccomp


TRY_ALL_CALLS = """
import ctypes, json, os
from gateway.confinement.limits import give_up_privileges
from gateway.confinement.seccomp import filter_program, install_filter
from gateway.confinement.system_calls import this_processor
processor = this_processor()
libc = ctypes.CDLL(None, use_errno=True)
give_up_privileges()
install_filter(processor, filter_program(processor, os.getpid()))
found = {}
for number in range(512):
    # The kernel's own probes (uretprobe, uprobe) pass every filter. A process that calls them ends with SIGILL.
    if number not in (335, 336) and number not in processor.numbers.values():
        found[number] = ctypes.get_errno() if libc.syscall(number, 0, 0, 0, 0, 0, 0) == -1 else 0
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or this_processor() is None, reason="the system has no such filter")
def test_kernel_refuses_every_other_call() -> None:
    run = subprocess.run([sys.executable, "-c", TRY_ALL_CALLS], cwd=ROOT, capture_output=True, text=True, check=True)
    found = {int(number): code for number, code in json.loads(run.stdout).items()}
    assert len(found) > 400
    assert {code for number, code in found.items() if number < FIRST_COMMON_NUMBER} == {errno.EPERM}
    assert {code for number, code in found.items() if number >= FIRST_COMMON_NUMBER} == {errno.ENOSYS}
