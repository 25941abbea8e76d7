"""The memory and the threads of a process, on systems that report them."""

from __future__ import annotations

import os
from pathlib import Path


def resident_bytes(pid: int) -> int | None:
    """Return the bytes of the process in RAM; None if it has ended, or on a system without /proc (macOS)."""
    try:
        # The fields are size, resident, … in pages: proc(5).
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def thread_count(pid: int) -> int | None:
    """Return the number of threads of the process; None if it has ended, or on a system without /proc (macOS)."""
    try:
        # The second field is the name of the program, in brackets, and may contain anything. The 20th is the number.
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[17])
    except (OSError, IndexError):
        return None
