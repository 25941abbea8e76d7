"""The memory of a process, where the system tells it."""

from __future__ import annotations

import os
from pathlib import Path


def resident_bytes(pid: int) -> int | None:
    """The memory that the process has in RAM; None if it has ended, or where there is no /proc (macOS)."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]  # proc(5): size, resident, …
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
