"""Landlock (landlock(7)): files that a process may read, and nothing else of the file system and the network.

Landlock counts for the calling thread and for threads that it starts later. Call ``restrict_files`` before a library
starts threads.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

# The numbers of the system calls are the same on all processors.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1

# linux/landlock.h: rights on files by their bits.
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_READ_RIGHTS = _EXECUTE | _READ_FILE | _READ_DIR

_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""The number of rights on files that a version of Landlock knows, from the version that has a new one."""

_BOTH_TCP_RIGHTS, _FIRST_WITH_TCP = 0b11, 4
"""The rights to bind and to connect a TCP socket."""

_BOTH_SCOPES, _FIRST_WITH_SCOPES = 0b11, 6
"""No connection to abstract Unix sockets, and no signal to processes, that are not restricted in the same way."""


def landlock_version() -> int:
    """Return the version of Landlock in the kernel; 0 if there is none, or it is switched off."""
    # The same number may be any other call on another system.
    return max(_call(_CREATE_RULESET, None, 0, _ASK_VERSION), 0) if sys.platform == "linux" else 0


def restrict_files(readable: Iterable[Path]) -> None:
    """Let this thread, and those that it starts, read and execute files in these places only. Raises OSError.

    ``readable``: files and folders. A missing one is skipped. The process must have set PR_SET_NO_NEW_PRIVS, or be
    privileged. ``landlock_version`` must be at least 1.
    """
    rules = _checked(_call(_CREATE_RULESET, *_handled_rights(landlock_version()), 0))
    try:
        for path in readable:
            _allow_reading(rules, path)
        _checked(_call(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)


def _handled_rights(version: int) -> tuple[ctypes.Array[ctypes.c_char], int]:
    """Return ``struct landlock_ruleset_attr`` and its size: the rights that are refused without a rule."""
    files = (1 << max(count for first, count in _FILE_RIGHTS.items() if first <= version)) - 1
    tcp = _BOTH_TCP_RIGHTS if version >= _FIRST_WITH_TCP else 0
    scopes = _BOTH_SCOPES if version >= _FIRST_WITH_SCOPES else 0
    # A kernel accepts a longer structure than its own only if the rest is zero.
    packed = struct.pack("=QQQ", files, tcp, scopes)
    return ctypes.create_string_buffer(packed, len(packed)), len(packed)


def _allow_reading(rules: int, path: Path) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        # The kernel refuses a rule about a file with rights on folders.
        rights = _READ_RIGHTS if path.is_dir() else _EXECUTE | _READ_FILE
        _checked(_call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0))
    finally:
        os.close(place)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(number, *arguments))
