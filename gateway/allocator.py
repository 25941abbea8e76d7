"""How this process's memory is had from the system, where glibc's malloc is what gives it. Other libcs are left alone.

Both were measured on Linux with two cores; the numbers of the parameters are those of glibc's malloc.h.
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8

LARGE_BYTES = 256 * 1024
"""A picture is usually larger than this, other things are smaller."""


def keep_freed_memory() -> None:
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


def give_back_large_blocks() -> None:
    """For a process that holds pictures for a moment: each has a mapping of its own, which ends when it is freed.

    By default glibc takes blocks of up to 32 MB from its heap once such a block was freed. There, a small block behind
    a picture keeps the picture's memory: 250 live frames of 10 MB left the process at 2.5 GB, and ever more.
    """
    _set(M_MMAP_THRESHOLD, LARGE_BYTES)


def _set(parameter: int, value: int) -> None:
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(parameter, value)
