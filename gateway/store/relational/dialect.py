"""Expressions of SQL in which databases differ."""

from __future__ import annotations


class Dialect:
    """The expressions for a database that checks the types of its columns. Each takes the name of a column.

    SQLite has a subclass: a column there may contain a value of any type, and text that is not UTF-8.
    """

    def as_bytes(self, column: str) -> str:
        """Return an expression that never makes a query fail. Its value is a text or bytes."""
        return column

    def real(self, column: str) -> str:
        """Return an expression of a float that is NULL for a value of another type."""
        return column

    def integer(self, column: str) -> str:
        """Return an expression of an integer that is NULL for a value of another type."""
        return column

    def is_no_number(self, column: str) -> str:
        """Return a condition that is true for a value that is neither a number nor NULL."""
        # The types of all values are checked when they are written.
        return "FALSE"
