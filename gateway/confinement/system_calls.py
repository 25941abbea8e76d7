"""The system calls that a confined process needs, with their numbers on each processor.

The list was made with ``strace`` from worker processes that did every task with every engine. The numbers come from the
kernel's ``asm/unistd_64.h`` (x86-64) and ``asm-generic/unistd.h`` (arm64).
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_COMMON_NUMBER = 424
"""Calls from this number on have the same number on all processors. They were added by Linux 5.1 and later."""


@dataclass(frozen=True, slots=True)
class Processor:
    """A kind of processor. ``audit``: its number in ``linux/audit.h``. ``seccomp``: the number of seccomp(2).

    ``numbers``: of the calls that a confined process may make, by name.
    """

    audit: int
    seccomp: int
    numbers: Mapping[str, int]


_X86_64: Mapping[str, int] = {
    # Messages: the socket to the gateway, and standard error.
    "read": 0,
    "write": 1,
    "sendto": 44,
    "recvfrom": 45,
    "sendmsg": 46,
    "recvmsg": 47,
    "poll": 7,
    "ppoll": 271,
    "ioctl": 16,
    "fcntl": 72,
    "close": 3,
    # Memory.
    "mmap": 9,
    "mprotect": 10,
    "munmap": 11,
    "brk": 12,
    "mremap": 25,
    "madvise": 28,
    # Threads of this process, and their waits.
    "clone": 56,
    "futex": 202,
    "set_robust_list": 273,
    "rseq": 334,
    "membarrier": 324,
    "sched_yield": 24,
    "sched_getaffinity": 204,
    "getcpu": 309,
    "getpid": 39,
    "gettid": 186,
    # Clocks, and the alarm for a picture that takes too long.
    "alarm": 37,
    "setitimer": 38,
    "nanosleep": 35,
    "clock_nanosleep": 230,
    "clock_gettime": 228,
    "clock_getres": 229,
    "gettimeofday": 96,
    "time": 201,
    "times": 100,
    "getrusage": 98,
    "sysinfo": 99,
    # Signals that this process handles, and the one with which abort() ends it.
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "sigaltstack": 131,
    "restart_syscall": 219,
    "tgkill": 234,
    # Random numbers and the end.
    "getrandom": 318,
    "exit": 60,
    "exit_group": 231,
}

_ARM64: Mapping[str, int] = {
    "read": 63,
    "write": 64,
    "sendto": 206,
    "recvfrom": 207,
    "sendmsg": 211,
    "recvmsg": 212,
    "ppoll": 73,
    "ioctl": 29,
    "fcntl": 25,
    "close": 57,
    "mmap": 222,
    "mprotect": 226,
    "munmap": 215,
    "brk": 214,
    "mremap": 216,
    "madvise": 233,
    "clone": 220,
    "futex": 98,
    "set_robust_list": 99,
    "rseq": 293,
    "membarrier": 283,
    "sched_yield": 124,
    "sched_getaffinity": 123,
    "getcpu": 168,
    "getpid": 172,
    "gettid": 178,
    "setitimer": 103,
    "nanosleep": 101,
    "clock_nanosleep": 115,
    "clock_gettime": 113,
    "clock_getres": 114,
    "gettimeofday": 169,
    "times": 153,
    "getrusage": 165,
    "sysinfo": 179,
    "rt_sigaction": 134,
    "rt_sigprocmask": 135,
    "rt_sigreturn": 139,
    "sigaltstack": 132,
    "restart_syscall": 128,
    "tgkill": 131,
    "getrandom": 278,
    "exit": 93,
    "exit_group": 94,
}

PROCESSORS: Mapping[str, Processor] = {
    "x86_64": Processor(0xC000003E, 317, _X86_64),
    "aarch64": Processor(0xC00000B7, 277, _ARM64),
}
"""The processors, by the names of ``platform.machine``."""


def this_processor() -> Processor | None:
    """Return the processor of this process; None if its system calls are not known here."""
    # A 32-bit program on a 64-bit kernel uses other numbers than its kernel's name says.
    return PROCESSORS.get(platform.machine()) if struct.calcsize("P") == 8 else None
