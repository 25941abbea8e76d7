"""The cameras that are switched off."""

from __future__ import annotations

from collections.abc import Collection

from gateway.store.relational.database import Database


class RelationalCameraSwitches:
    """The table of cameras that are off, as store.protocols.CameraSwitches describes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read_disabled(self) -> set[str]:
        return {str(name) for (name,) in self._database.rows("SELECT name FROM cameras_off")}

    def change_disabled(self, *, off: Collection[str], on: Collection[str]) -> None:
        with self._database.transaction() as db:
            db.executemany("DELETE FROM cameras_off WHERE name = ?", [(name,) for name in sorted({*off, *on})])
            db.executemany("INSERT INTO cameras_off (name) VALUES (?)", [(name,) for name in sorted(off)])

    def write_disabled(self, cameras: Collection[str]) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM cameras_off")
            db.executemany("INSERT INTO cameras_off (name) VALUES (?)", [(name,) for name in sorted(cameras)])
