"""Marks of removed pictures, names and folders, which the folder of known people must not enrol again."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from gateway.model.names import name_key
from gateway.store.sqlite.database import Database


class Tombstones:
    """The table of marks. It contains keyed digests, from which nobody can tell a picture or a name."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._secret = secret

    def keyed(self, mark: str) -> bytes:
        """Return the keyed digest of a mark, as the table contains it."""
        return hmac.digest(self._secret, mark.encode(), "sha256")

    def add(self, marks: Iterable[str], *, erased: bool) -> None:
        """Add marks. Those that are ``erased`` also apply to a backup that is restored later."""
        with self._database.transaction() as db:
            db.executemany(
                "INSERT INTO tombstones VALUES (?, ?) ON CONFLICT DO UPDATE SET erased = max(erased, excluded.erased)",
                [(self.keyed(mark), erased) for mark in marks],
            )

    def delete(self, mark: str) -> None:
        """Delete a mark, if it is there."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM tombstones WHERE digest = ?", (self.keyed(mark),))

    def has(self, mark: str) -> bool:
        """Return whether a mark is there."""
        return self._database.row("SELECT 1 FROM tombstones WHERE digest = ?", (self.keyed(mark),)) is not None


# The mark of a picture that no folder may enrol again is its digest alone: hexadecimal digits, no slash.
# The names of folders contain no slash either, so that marks of different kinds never are the same.


def picture_in_folder(folder: str, digest: str) -> str:
    """Return the mark of a picture that one folder must not enrol again."""
    return f"{folder}/{digest}"


def closed_folder(name: str) -> str:
    """Return the mark of all folders of that name, in any spelling, which must not enrol any picture."""
    return f"/{name_key(name)}"


def removed_name(name: str) -> str:
    """Return the mark of the name, in any spelling, of a person who was removed."""
    return f"//{name_key(name)}"
