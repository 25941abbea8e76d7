"""A file in the folder of backups: the check for people in it, and the erasure of a person from it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path

from gateway.errors import GatewayError
from gateway.files.closed_folders import is_folder
from gateway.store.sqlite.database import LOCK_TIMEOUT_S
from gateway.store.sqlite.live_files import find_linked_live_file
from gateway.store.sqlite.sidecars import SIDECARS

_AUTOMATIC_NAME = re.compile(r"automatic-(\d{8}-\d{6})(?:-(\d+))?\.sqlite")
_GENERATED_NAME = re.compile(
    rf"(people-\d{{8}}-\d{{6}}(-\d+)?|before-version-\d+-\d{{8}}-\d{{6}})\.sqlite|{_AUTOMATIC_NAME.pattern}"
)
TIME_IN_NAMES = "%Y%m%d-%H%M%S"
"""The form of the time in the name of a backup."""

_UNFINISHED = ".sqlite.new"
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_WRITE_VERSION = 18
"""The offset of the write version in the header. 2 means a write-ahead log. https://sqlite.org/fileformat2.html"""

_SHOWN_PEOPLE = {
    False: "FROM people WHERE id IN (SELECT person FROM pictures WHERE substr(digest, 1, 16) = ?)",
    True: "FROM people WHERE id IN (SELECT person FROM pictures WHERE substr(digest, 1, 16) = ? AND NOT counter)",
}
"""The people that a picture shows, by whether the version of the store has counter-examples."""


class UnreadableError(Exception):
    """A file that cannot be checked for people. The message is the reason."""


def is_generated_name(name: str) -> bool:
    """Return whether Facegate generated this name of a backup. Such a name says nothing but a time."""
    return _GENERATED_NAME.fullmatch(name) is not None


def parse_automatic_name(name: str) -> tuple[str, int] | None:
    """Return the time in the name of a backup that the gateway made by itself, and its number in that second.

    None for another name. The time is in the form of TIME_IN_NAMES.
    """
    if (found := _AUTOMATIC_NAME.fullmatch(name)) is None:
        return None
    return found[1], int(found[2] or 1)


def is_unfinished(name: str) -> bool:
    """Return whether this is the name of a backup that was not completed."""
    return name.endswith(_UNFINISHED)


def main_file(path: Path) -> Path | None:
    """Return the database that a file with one of SQLite's suffixes belongs to, else None."""
    for suffix in SIDECARS:
        if path.name.endswith(suffix):
            return path.with_name(path.name.removesuffix(suffix))
    return None


def delete(path: Path) -> None:
    """Delete a database and SQLite's files beside it. Folders of these names stay. Raise OSError."""
    for suffix in ("", *SIDECARS):
        each = path.with_name(path.name + suffix)
        if each.is_symlink() or not is_folder(each):
            each.unlink(missing_ok=True)


def is_sqlite(path: Path) -> bool:
    """Return whether a file, which must be no link to a live file, begins like an SQLite database. Raise OSError."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def contains_backup(folder: Path) -> bool:
    """Return whether a folder has a backup. A folder that cannot be read may have one."""
    try:
        paths = [path for path in folder.iterdir() if path.is_file()]
        return any(is_sqlite(path) for path in paths if find_linked_live_file(path, folder.parent) is None)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def check_readable(path: Path) -> None:
    """Check that an erasure could find people in a file. Nothing is changed.

    Raise UnreadableError, or GatewayError for a file that SQLite cannot open.
    """
    if (header := _header(path)) is None:
        return
    # Without ``immutable`` reading would create a log beside the file.
    mode = "mode=ro&immutable=1" if header[_WRITE_VERSION] == 2 else "mode=ro"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=0)) as db:
            _holds_people(db)
    except sqlite3.OperationalError as error:
        # An erasure can write a file that another process writes now, or wrote when it was killed.
        if "locked" not in str(error) and not path.with_name(f"{path.name}-journal").exists():
            raise GatewayError(f"{path} cannot be opened ({error})") from None
    except sqlite3.DatabaseError as error:
        raise UnreadableError(str(error)) from None


def erase_from(
    path: Path, slug: str, pictures: Collection[str], destroy_keys: Callable[[Collection[str]], None]
) -> bool:
    """Erase a person, and all people that the pictures show, from a file. Return whether anything was found.

    ``pictures``: ids of pictures. ``destroy_keys``: called before with the uids of these people. Raise UnreadableError,
    or GatewayError if the file is locked or the disk is full.
    """
    if _header(path) is None:
        return False
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as db:
            if not _holds_people(db):
                return False
            destroy_keys(_find_uids(db, slug, pictures))
            return _erase(db, slug, pictures)
    except sqlite3.OperationalError as error:
        raise GatewayError(
            f"{path} still contains the person ({error}): try again, or else move this file away or delete it"
        ) from None
    except sqlite3.DatabaseError as error:
        raise UnreadableError(str(error)) from None


def _find_uids(db: sqlite3.Connection, slug: str, pictures: Collection[str]) -> set[str]:
    """Return the uids of the people whom ``_erase`` erases. None in versions without uids."""
    if "uid" not in _columns(db, "people"):
        return set()
    shown = _SHOWN_PEOPLE["counter" in _columns(db, "pictures")]
    found = [("FROM people WHERE slug = ?", slug), *((shown, each) for each in pictures)]
    return {str(uid) for people, value in found for (uid,) in db.execute(f"SELECT uid {people}", (value,))}


def _erase(db: sqlite3.Connection, slug: str, pictures: Collection[str]) -> bool:
    # Deleting a person deletes the pictures of that person too.
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA secure_delete = ON")
    before = db.total_changes
    db.execute("DELETE FROM people WHERE slug = ?", (slug,))
    shown = _SHOWN_PEOPLE["counter" in _columns(db, "pictures")]
    for each in pictures:
        db.execute(f"DELETE {shown}", (each,))
        db.execute("DELETE FROM pictures WHERE substr(digest, 1, 16) = ?", (each,))
    found = db.total_changes > before
    # Each of these may show or name the person. Only a copy from before an upgrade has them.
    for table in ("effects", "unknowns", "sightings"):
        if _columns(db, table):
            db.execute(f"DELETE FROM {table}")  # noqa: S608 (constants of this function)
    db.execute("VACUUM")
    return found


def _header(path: Path) -> bytes | None:
    """Return the first bytes of a file, None for an empty file. Raise UnreadableError for another kind of file."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise GatewayError(f"{path} cannot be opened ({error.strerror or error})") from None
    if header and (not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES):
        raise UnreadableError("it is not an SQLite file")
    return header or None


def _holds_people(db: sqlite3.Connection) -> bool:
    """Return whether a database is a people store. Raise UnreadableError for a database of another program."""
    # A copy of the audit is not a people store.
    people = _columns(db, "people")
    if people and not ({"id", "slug"} <= people and {"person", "digest"} <= _columns(db, "pictures")):
        raise UnreadableError("its tables are not the tables of a people store")
    return bool(people)


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    """Return the names of a table's columns, none for a table that does not exist."""
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
