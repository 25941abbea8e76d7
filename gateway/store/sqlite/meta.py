"""The single values of the store itself: the revision and the secret."""

from __future__ import annotations

from typing import Any

from gateway.store.sqlite.database import Database


def read_meta(database: Database, key: str, kind: type) -> Any:
    """Return a value. Raise ValueError if it is missing or of another type."""
    row = database.row("SELECT value FROM meta WHERE key = ?", (key,))
    if row is None or not isinstance(row[0], kind):
        raise ValueError(f"it is damaged: its {key} is missing or of another type")
    return row[0]
