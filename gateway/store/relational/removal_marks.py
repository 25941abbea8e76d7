"""Marks of removed pictures, names and folders, which the folder of known people must not enrol again."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from gateway.errors import BadRequest
from gateway.model.names import name_key
from gateway.store.relational.database import Database


class RelationalRemovalMarks:
    """The table of marks, as store.protocols.RemovalMarks describes it.

    The table contains keyed digests, from which nobody can tell a picture or a name.
    """

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._secret = secret

    def is_picture_removed(self, digest: str) -> bool:
        return self.has(digest)

    def is_name_removed(self, name: str) -> bool:
        return self.has(removed_name(name))

    def check_not_removed(self, folder: str, digest: str) -> None:
        if self.has(digest):
            raise BadRequest(
                "a removed picture is not enrolled from the folder again: delete the file, or enrol the picture with"
                " `facegate people add`"
            )
        if self.has(closed_folder(folder)):
            raise BadRequest(
                "the person of this folder was removed while not all pictures in the folder could be read: rename the"
                " folder or enrol the person in another way to use the pictures, or delete the folder"
            )
        if self.has(picture_in_folder(folder, digest)):
            raise BadRequest(
                "the picture was a counter-example for the person of this folder: delete the file, or move it into the"
                " folder of the right person"
            )

    def to_digest(self, mark: str) -> bytes:
        """Return the keyed digest of a mark, as the table contains it."""
        return hmac.digest(self._secret, mark.encode(), "sha256")

    def add(self, marks: Iterable[str], *, erased: bool) -> None:
        """Add marks. Those that are ``erased`` also apply to a backup that is restored later."""
        with self._database.transaction() as db:
            db.executemany(
                "INSERT INTO tombstones (digest, erased) VALUES (?, ?) ON CONFLICT (digest)"
                " DO UPDATE SET erased = tombstones.erased OR excluded.erased",
                [(self.to_digest(mark), erased) for mark in marks],
            )

    def delete(self, *marks: str) -> None:
        """Delete the marks that are there."""
        with self._database.transaction() as db:
            db.executemany("DELETE FROM tombstones WHERE digest = ?", [(self.to_digest(mark),) for mark in marks])

    def allow_name(self, name: str) -> None:
        """Delete the marks of a name: a person of that name was enrolled or renamed by a caller, not by a folder."""
        self.delete(*marks_of_name(name))

    def has(self, mark: str) -> bool:
        """Return whether a mark is there."""
        return self._database.row("SELECT 1 FROM tombstones WHERE digest = ?", (self.to_digest(mark),)) is not None


# The mark of a picture that no folder may enrol again is its digest alone: hexadecimal digits, no slash.
# The names of folders contain no slash either, so that marks of different kinds never are the same.


def picture_in_folder(folder: str, digest: str) -> str:
    """Return the mark of a picture that one folder must not enrol again."""
    return f"{folder}/{digest}"


def closed_folder(name: str) -> str:
    """Return the mark that closes folders: no folder of that name, in any spelling, may enrol a picture."""
    return f"/{name_key(name)}"


def marks_of_name(name: str) -> tuple[str, str]:
    """Return the marks that keep folders from enrolling a person of that name."""
    return closed_folder(name), removed_name(name)


def removed_name(name: str) -> str:
    """Return the mark of the name, in any spelling, of a person who was removed."""
    return f"//{name_key(name)}"
