"""How this process's memory is had from the system, where glibc's malloc is what gives it. Other libcs are left alone.

Both were measured on Linux with two cores; the numbers of the parameters are those of glibc's malloc.h.
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_what_is_freed() -> None:
    """For a process that takes tens of megabytes for each picture, and gives them back, only to take them for the next:
    getting them anew from the system took longer than half of the work.
    """
    _set(M_MMAP_MAX, 0)
    _set(M_TRIM_THRESHOLD, 2**31 - 1)


def share_one_arena() -> None:
    """For a process of many threads that run one at a time: glibc gives each a heap of its own, eight for each core at
    most, and what one of them has once needed for a picture stays with it. That crept up by 600 MB a day in the first
    hour. To be called before there are threads.
    """
    _set(M_ARENA_MAX, 1)


def _set(parameter: int, value: int) -> None:
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(parameter, value)
