"""A filter of system calls (seccomp(2)): the calls that a process needs are allowed, and all others fail.

The filter is a program of the classic Berkeley Packet Filter. The kernel runs it for each system call of each thread.
It sees the number and the arguments of the call, but no memory, so it cannot look at a path.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.confinement.system_calls import FIRST_COMMON_NUMBER, Processor

# linux/bpf_common.h: load a word at a fixed place; jump if equal, at least, or a bit is set; return.
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

# linux/seccomp.h: the answers of a filter.
ALLOW, KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
REFUSE, UNKNOWN_CALL = _ERRNO | 1, _ERRNO | 38
"""The call fails with EPERM, or with ENOSYS as on a kernel that does not have it."""

# linux/seccomp.h: struct seccomp_data.
_NUMBER_AT, _AUDIT_AT, _ARGUMENTS_AT, _ARGUMENT_BYTES = 0, 4, 16, 8

_SET_MODE_FILTER, _ALL_THREADS, _NO_SPECULATION_PENALTY = 1, 1, 4

_FIONBIO = 0x5421
_F_GETFD, _F_GETFL = 1, 3
_CLONE_THREAD = 0x10000
_MAP_SHARED = 1


@dataclass(frozen=True, slots=True)
class ArgumentRule:
    """A condition on the lower 32 bits of an argument. ``argument``: its number, from 0.

    ``equal``: it is one of ``values``. ``set``, ``clear``: its bit ``values[0]`` is set or not.
    """

    argument: int
    test: Literal["equal", "set", "clear"]
    values: tuple[int, ...]


def argument_rules(pid: int) -> Mapping[str, ArgumentRule]:
    """Return the calls that are allowed with some arguments only. ``pid``: the process that the filter is for."""
    return {
        # Other commands write into a terminal, or send signals to another process when data arrives.
        "ioctl": ArgumentRule(1, "equal", (_FIONBIO,)),
        "fcntl": ArgumentRule(1, "equal", (_F_GETFD, _F_GETFL)),
        # A thread, not another process.
        "clone": ArgumentRule(0, "set", (_CLONE_THREAD,)),
        # Shared memory does not count for the limit of memory.
        "mmap": ArgumentRule(3, "clear", (_MAP_SHARED,)),
        "tgkill": ArgumentRule(0, "equal", (pid,)),
    }


def filter_program(processor: Processor, pid: int) -> bytes:
    """Return the filter for a process with this id."""
    rules = argument_rules(pid)
    program = [
        # A program for another kind of processor would reach other calls by the same numbers.
        _step(_LOAD, _AUDIT_AT),
        _step(_JUMP_EQUAL, processor.audit, then=1),
        _step(_RETURN, KILL_PROCESS),
        _step(_LOAD, _NUMBER_AT),
    ]
    for name, number in processor.numbers.items():
        allowed = _check_argument(rules[name]) if name in rules else [_step(_RETURN, ALLOW)]
        program += [_step(_JUMP_EQUAL, number, otherwise=len(allowed)), *allowed]
    # A C library tries newer calls first, and takes older ones only if the kernel does not know the newer. Among them
    # are clone3, whose flags are in memory, and io_uring.
    program += [_step(_JUMP_AT_LEAST, FIRST_COMMON_NUMBER, otherwise=1), _step(_RETURN, UNKNOWN_CALL)]
    return b"".join([*program, _step(_RETURN, REFUSE)])


def install_filter(processor: Processor, program: bytes) -> None:
    """Filter the system calls of all threads of this process, for good. Raises OSError.

    The process must have set PR_SET_NO_NEW_PRIVS, or be privileged.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    steps = ctypes.create_string_buffer(program, len(program))
    description = _Program(len(program) // _STEP.size, ctypes.addressof(steps))
    for flags in (_ALL_THREADS | _NO_SPECULATION_PENALTY, _ALL_THREADS):
        # Without the flag, kernels before 5.16 slow down the processor's speculation for the whole process. Kernels
        # before 4.17 do not know the flag.
        done = libc.syscall(processor.seccomp, _SET_MODE_FILTER, flags, ctypes.byref(description))
        if done == 0:
            return
    code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))


_STEP = struct.Struct("=HBBI")


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """Return an instruction. ``then``, ``otherwise``: the instructions to skip if a jump's condition holds or not."""
    return _STEP.pack(code, then, otherwise, value)


def _check_argument(rule: ArgumentRule) -> list[bytes]:
    load = _step(_LOAD, _ARGUMENTS_AT + _ARGUMENT_BYTES * rule.argument)
    allow, refuse = _step(_RETURN, ALLOW), _step(_RETURN, REFUSE)
    if rule.test == "equal":
        # Each comparison jumps behind the others and the refusal.
        last = len(rule.values)
        jumps = [_step(_JUMP_EQUAL, value, then=last - n) for n, value in enumerate(rule.values)]
        return [load, *jumps, refuse, allow]
    answers = [allow, refuse] if rule.test == "set" else [refuse, allow]
    return [load, _step(_JUMP_IF_SET, rule.values[0], otherwise=1), *answers]


class _Program(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))
