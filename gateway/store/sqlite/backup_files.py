"""One file in the folder of backups: whether it holds people, and how one of them gets out of it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from gateway.errors import GatewayError
from gateway.store.sqlite.database import WAIT_S

_OURS = re.compile(r"(people-\d{8}-\d{6}(-\d+)?|before-version-\d+-\d{8}-\d{6})\.sqlite")
_UNFINISHED = ".sqlite.new"
_SIDECARS = ("-wal", "-shm", "-journal")
"""The files that SQLite keeps beside a file, which it reads, writes and removes with that file."""

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_WRITE_VERSION = 18
"""Where the header says how the file is written: 2 is a write-ahead log. https://sqlite.org/fileformat2.html"""

_WHO_SHOWS = {
    False: "DELETE FROM people WHERE id IN (SELECT person FROM pictures WHERE substr(digest, 1, 16) = ?)",
    True: "DELETE FROM people WHERE id IN"
    " (SELECT person FROM pictures WHERE substr(digest, 1, 16) = ? AND NOT counter)",
}
"""Whoever is shown by a picture, of whatever name; by whether there are counter-examples in that version."""


class UnreadableError(Exception):
    """Nobody can tell whether a file holds people. The message is the reason."""


def is_ours(name: str) -> bool:
    """Return whether Facegate chose this name of a backup, which then says nothing but a time."""
    return _OURS.fullmatch(name) is not None


def is_unfinished(name: str) -> bool:
    """Return whether it is the name of a backup that was never finished."""
    return name.endswith(_UNFINISHED)


def main_file(path: Path) -> Path | None:
    """Return the file beside which SQLite keeps this one; None for every other file."""
    for suffix in _SIDECARS:
        if path.name.endswith(suffix):
            return path.with_name(path.name.removesuffix(suffix))
    return None


def delete(path: Path) -> None:
    """Delete a file with what SQLite keeps beside it. Raise OSError."""
    for suffix in ("", *_SIDECARS):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def is_sqlite(path: Path) -> bool:
    """Return whether a file begins as SQLite's do. Raise OSError."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def check_readable(path: Path) -> None:
    """Look whether an erasure could tell who is in a file, and change nothing.

    Raise UnreadableError, and GatewayError for a file that SQLite does not open.
    """
    if (header := _header(path)) is None:
        return
    # a log beside the file would be made by looking
    mode = "mode=ro&immutable=1" if header[_WRITE_VERSION] == 2 else "mode=ro"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=0)) as db:
            _holds_people(db)
    except sqlite3.OperationalError as error:
        # another process that writes now, or one that was killed while it wrote, is no obstacle
        if "locked" not in str(error) and not path.with_name(f"{path.name}-journal").exists():
            raise GatewayError(f"{path} cannot be opened ({error})") from None
    except sqlite3.DatabaseError as error:
        raise UnreadableError(str(error)) from None


def erase_from(path: Path, slug: str, pictures: Collection[str]) -> bool:
    """Erase a person, and whoever is shown by the pictures, from a file. Return whether there was anything of them.

    Raise UnreadableError, and GatewayError if the file is busy or the disk is full.
    """
    if _header(path) is None:
        return False
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)) as db:
            return _holds_people(db) and _erase(db, slug, pictures)
    except sqlite3.OperationalError as error:
        raise GatewayError(
            f"{path} still has them ({error}): try again, or, if that does not help, move this file away or delete it"
        ) from None
    except sqlite3.DatabaseError as error:
        raise UnreadableError(str(error)) from None


def _erase(db: sqlite3.Connection, slug: str, pictures: Collection[str]) -> bool:
    # with their pictures
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")
    before = db.total_changes
    db.execute("DELETE FROM people WHERE slug = ?", (slug,))
    for each in pictures:
        db.execute(_WHO_SHOWS["counter" in _columns(db, "pictures")], (each,))
        db.execute("DELETE FROM pictures WHERE substr(digest, 1, 16) = ?", (each,))
    found = db.total_changes > before
    if _columns(db, "effects"):
        db.execute("DELETE FROM effects")
    db.execute("VACUUM")
    return found


def _header(path: Path) -> bytes | None:
    """Return None for an empty file, in which nobody is. Raise UnreadableError for one that is not SQLite's."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise GatewayError(f"{path} cannot be opened ({error.strerror or error})") from None
    if header and (not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES):
        raise UnreadableError("it is no SQLite file")
    return header or None


def _holds_people(db: sqlite3.Connection) -> bool:
    """Return whether it is a people store; a copy of the audit is none. Raise UnreadableError for another program's."""
    people = _columns(db, "people")
    if people and not ({"id", "slug"} <= people and {"person", "digest"} <= _columns(db, "pictures")):
        raise UnreadableError("its tables are not those of a people store")
    return bool(people)


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    """Return nothing for a table that is not there."""
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
