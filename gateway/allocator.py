"""Settings of glibc's malloc for the two kinds of process. Other C libraries are left as they are.

The effects were measured on Linux with two cores. The numbers of the parameters are those of glibc's malloc.h.
"""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -3, -4, -8

LARGE_BLOCK_BYTES = 256 * 1024
"""A size that pictures usually exceed, and other objects do not."""


# A worker needs tens of megabytes for each picture. By default it returns them to the system afterwards, and takes them
# again for the next picture: that took more than half of the time.
def keep_freed_memory() -> None:
    """Keep freed memory in this process. Use it in worker processes."""
    _set(M_MMAP_MAX, 0)
    _set(M_TRIM_THRESHOLD, 2**31 - 1)


# By default glibc gives each thread a heap of its own, up to eight for each core. The memory that one of them once
# needed for a picture stays with it: in the first hour the process grew at a rate of 600 MB a day.
def share_one_arena() -> None:
    """Let all threads use one heap. Call this before other threads start."""
    _set(M_ARENA_MAX, 1)


# By default glibc takes blocks of up to 32 MB from its heap once such a block was freed. There, a small block behind a
# picture keeps the picture's memory: 250 live frames of 10 MB left the process at 2.5 GB, and it grew further.
def give_back_large_blocks() -> None:
    """Give each large block a memory mapping of its own, which ends when the block is freed.

    Use it in the gateway's main process, which holds pictures for a moment.
    """
    _set(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


def _set(parameter: int, value: int) -> None:
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(parameter, value)
