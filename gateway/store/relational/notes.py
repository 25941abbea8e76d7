"""The notes of the processes, in the table of single values."""

from __future__ import annotations

from gateway.store.relational.database import Database


class RelationalNotes:
    """The notes, as store.protocols.Notes describes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read_note(self, name: str) -> str | None:
        row = self._database.row("SELECT value FROM meta WHERE key = ?", (name,))
        return str(row[0]) if row else None

    def read_notes(self, prefix: str) -> list[tuple[str, str]]:
        found = "SELECT key, value FROM meta WHERE substr(key, 1, ?) = ? ORDER BY key"
        return [(str(name), str(value)) for name, value in self._database.rows(found, (len(prefix), prefix))]

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
                db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (name, value))
