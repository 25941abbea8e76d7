"""The state of the store in SQLite."""

from __future__ import annotations

from gateway.store.sqlite.database import Database
from gateway.store.sqlite.name_warnings import find_name_warnings


class SqliteStatus:
    """The state of the store, as store.protocols.StoreStatus describes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_writable(self) -> bool:
        return self._database.is_writable()

    def find_name_warnings(self) -> list[str]:
        return find_name_warnings(self._database)
