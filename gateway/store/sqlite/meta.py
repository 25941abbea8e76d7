"""The table of single values: the revision, the secret, and the notes of the processes."""

from __future__ import annotations

from typing import Any

from gateway.store.sqlite.database import Database


def read_meta(database: Database, key: str, kind: type) -> Any:
    """Return a value. Raise ValueError if it is missing or of another type."""
    row = database.row("SELECT value FROM meta WHERE key = ?", (key,))
    if row is None or not isinstance(row[0], kind):
        raise ValueError(f"it is damaged: its {key} is missing or of another type")
    return row[0]


class SqliteNotes:
    """The notes, as store.protocols.Notes describes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read_note(self, name: str) -> str | None:
        row = self._database.row("SELECT value FROM meta WHERE key = ?", (name,))
        return str(row[0]) if row else None

    def take_notes(self, prefix: str) -> list[str]:
        names = "FROM meta WHERE substr(key, 1, ?) = ?", (len(prefix), prefix)
        # A transaction without a change would write to flash memory for nothing.
        if self._database.row(f"SELECT 1 {names[0]}", names[1]) is None:
            return []
        with self._database.transaction() as db:
            found = db.execute(f"SELECT value {names[0]} ORDER BY key", names[1]).fetchall()
            db.execute(f"DELETE {names[0]}", names[1])
        return [str(value) for (value,) in found]

    def write_note(self, name: str, value: str | None) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM meta WHERE key = ?", (name,))
            if value is not None:
                db.execute("INSERT INTO meta VALUES (?, ?)", (name, value))
