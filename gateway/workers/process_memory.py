"""The memory of a process, on systems that report it."""

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
