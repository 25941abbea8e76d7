"""The expressions for SQLite, where a column may contain a value of any type."""

from __future__ import annotations

from gateway.store.relational.dialect import Dialect


class SqliteDialect(Dialect):
    """The expressions for columns that another program, or a damaged disk, may have filled with any value."""

    def as_bytes(self, column: str) -> str:
        # One text that is not UTF-8 would make the whole query fail.
        return f"CAST({column} AS BLOB)"

    def real(self, column: str) -> str:
        return f"CASE WHEN typeof({column}) = 'real' THEN {column} END"

    def integer(self, column: str) -> str:
        return f"CASE WHEN typeof({column}) = 'integer' THEN {column} END"

    def is_no_number(self, column: str) -> str:
        # SQLite sorts every text and every blob after all numbers. With ``typeof`` no index would be used.
        return f"{column} >= ''"
