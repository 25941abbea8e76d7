"""Marks of pictures and folders that must not bring anybody back from known_faces/."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from gateway.model.names import name_key
from gateway.store.sqlite.database import Database


class Tombstones:
    """The store's table of marks. It holds keyed digests, which tell nothing to somebody who has not got the store."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._secret = secret

    def keyed(self, mark: str) -> bytes:
        return hmac.digest(self._secret, mark.encode(), "sha256")

    def bury(self, marks: Iterable[str], *, erased: bool) -> None:
        """``erased``: a restored backup gets these marks too."""
        with self._database.transaction() as db:
            db.executemany(
                "INSERT INTO tombstones VALUES (?, ?) ON CONFLICT DO UPDATE SET erased = max(erased, excluded.erased)",
                [(self.keyed(mark), erased) for mark in marks],
            )

    def lift(self, mark: str) -> None:
        with self._database.transaction() as db:
            db.execute("DELETE FROM tombstones WHERE digest = ?", (self.keyed(mark),))

    def has(self, mark: str) -> bool:
        return self._database.row("SELECT 1 FROM tombstones WHERE digest = ?", (self.keyed(mark),)) is not None


# The mark of a picture that must not come back from any folder is its digest alone: hexadecimal digits, no slash.


def picture_in_folder(folder: str, digest: str) -> str:
    """Return the mark of a picture that must not come back from one folder. No folder's name has a slash."""
    return f"{folder}/{digest}"


def closed_folder(name: str) -> str:
    """Return the mark of the folders of that name, in any spelling, from which no picture must come back."""
    return f"/{name_key(name)}"


def removed_name(name: str) -> str:
    """Return the mark of the name, in any spelling, of somebody who was removed."""
    return f"//{name_key(name)}"
