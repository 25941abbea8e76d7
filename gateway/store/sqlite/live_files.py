"""The SQLite files that a running gateway uses, and links to them in the folder of backups.

Closing any handle of such a file drops all POSIX locks that the process has on it. Another process may then write into
the database at the same time. https://sqlite.org/howtocorrupt.html, section 2.2
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.store.sqlite.audit_file import AUDIT_FILE
from gateway.store.sqlite.key_file import KEY_FILE
from gateway.store.sqlite.sidecars import SIDECARS
from gateway.store.sqlite.token_file import ACCESS_FILE

STORE_FILE = "people.sqlite"
"""The name of the store in the data folder."""

LIVE_FILES = (STORE_FILE, AUDIT_FILE, ACCESS_FILE, KEY_FILE)
"""The names of the databases in the data folder. A running gateway has them open."""


def find_linked_live_file(path: Path, data: Path) -> Path | None:
    """Return the live file in the folder ``data`` that a path leads to by a symbolic or hard link, else None.

    Opens no file.
    """
    if (found := _identity(path)) is None:
        return None
    for name in LIVE_FILES:
        for suffix in ("", *SIDECARS):
            if _identity(live := data / f"{name}{suffix}") == found:
                return live
    return None


def uses_live_file(path: Path, data: Path) -> bool:
    """Return whether opening a database would open a live file: itself, or as one of SQLite's files beside it."""
    return any(find_linked_live_file(path.with_name(path.name + suffix), data) for suffix in ("", *SIDECARS))


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the numbers of the disk and of the file on it, None if the file cannot be seen."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino
