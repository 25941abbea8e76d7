"""All tables of a store in SQLite, which are in four files, for a copy into another store or from another store."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.errors import GatewayError, StartError
from gateway.store.cipher import Cipher
from gateway.store.copied_tables import COPIED_TABLES, NUMBERED, SingleValues
from gateway.store.limits import PeopleLimits
from gateway.store.relational.audit import HEAD_NOTE
from gateway.store.relational.database import Row
from gateway.store.relational.encryption import ENCRYPTED
from gateway.store.sqlite.audit_file import AUDIT_FILE
from gateway.store.sqlite.audit_key import KEY_FILE as AUDIT_KEY_FILE
from gateway.store.sqlite.audit_key import AuditKeyFile
from gateway.store.sqlite.key_file import KEY_FILE
from gateway.store.sqlite.live_files import LIVE_FILES, STORE_FILE
from gateway.store.sqlite.opening import open_store
from gateway.store.sqlite.sidecars import SIDECARS
from gateway.store.sqlite.token_file import ACCESS_FILE, TokenFile

NEW_FOLDER = "store-copy.new"
"""The folder in the data folder in which the files of a copy are written, until all of them are complete."""


# The store comes last: without it no gateway takes the others for its own.
_FILES = (AUDIT_KEY_FILE, *(name for name in LIVE_FILES if name != STORE_FILE), STORE_FILE)
"""The names of all files of a store."""


class SqliteTables:
    """The tables of all files, as store.copied_tables.StoreTables describes them."""

    def __init__(self, data: Path, db: sqlite3.Connection) -> None:
        self._data = data
        self._db = db
        self._is_encrypted = (data / KEY_FILE).exists()

    def count(self, table: str) -> int:
        if not self._exists(table):
            return 0
        (count,) = self._db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 (a constant)
        return int(count)

    def rows(self, table: str) -> Iterator[Row]:
        if not self._exists(table):
            return
        copied = COPIED_TABLES[table]
        booleans = [copied.columns.index(each) for each in copied.booleans]
        columns, key = ", ".join(copied.columns), ", ".join(copied.key)
        for row in self._db.execute(f"SELECT {columns} FROM {table} ORDER BY {key}"):  # noqa: S608 (constants)
            values = list(row)
            for place in booleans:
                values[place] = bool(values[place])
            yield tuple(values)

    def clear(self) -> None:
        # The files are new: an audit with lines could not be cleared, and needs not to be.
        for table in reversed([*COPIED_TABLES]):
            if self._exists(table):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 (a constant)

    def insert(self, table: str, rows: list[Row]) -> None:
        columns = COPIED_TABLES[table].columns
        marks = ", ".join("?" * len(columns))
        self._db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608

    def read_values(self) -> SingleValues:
        notes = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        check = self._db.execute("SELECT key_check FROM file").fetchone() if self._is_encrypted else None
        used = dict(self._db.execute("SELECT name, seq FROM main.sqlite_sequence").fetchall())
        return SingleValues(
            revision=int(notes["revision"]),
            secret=bytes(notes["secret"]),
            audit_head=notes.get(HEAD_NOTE),
            key_check=check[0] if check else None,
            audit_key=AuditKeyFile(self._data / AUDIT_KEY_FILE).read(self._db),
            last_numbers={table: int(used.get(table, 0)) for table in NUMBERED},
        )

    def write_values(self, values: SingleValues) -> None:
        notes: dict[str, object] = {"revision": values.revision, "secret": values.secret}
        if values.audit_head is not None:
            notes[HEAD_NOTE] = values.audit_head
        if values.key_check is not None:
            notes[ENCRYPTED] = 1
            self._db.execute("UPDATE file SET key_check = ?", (values.key_check,))
        self._db.execute("DELETE FROM meta")
        self._db.executemany("INSERT INTO meta VALUES (?, ?)", notes.items())
        for table, number in values.last_numbers.items():
            self._db.execute("DELETE FROM main.sqlite_sequence WHERE name = ?", (table,))
            self._db.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))
        if values.audit_key is not None:
            AuditKeyFile(self._data / AUDIT_KEY_FILE).write(values.audit_key)

    def _exists(self, table: str) -> bool:
        # Without a master key there is no file of data keys.
        return table != "data_keys" or self._is_encrypted


@contextmanager
def reading_tables(data: Path) -> Iterator[SqliteTables]:
    """Give the tables of the store in a data folder, whose files were opened before. Raise GatewayError."""
    TokenFile(data / ACCESS_FILE).create()
    with _transaction(data) as db:
        yield SqliteTables(data, db)


@contextmanager
def new_tables(data: Path, cipher: Cipher) -> Iterator[SqliteTables]:
    """Give the tables of a new store, which is in the data folder if the block ends without an error.

    The files of an empty store are replaced. Raise StartError or GatewayError.
    """
    new = data / NEW_FOLDER
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(mode=0o700, parents=True)
        _create_files(new, cipher)
        with _transaction(new) as db:
            yield SqliteTables(new, db)
        # This checks the keys, all ids and the end of the audit.
        with closing(open_store(new, cipher, PeopleLimits(), may_encrypt=False)) as store:
            if problems := store.audit.check().problems:
                raise GatewayError(f"the audit of the copy is not right: {problems[0]}")
        _move_into_place(new, data)
    except OSError as error:
        raise StartError(f"The copy cannot be written to {data}: {error.strerror}.") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _create_files(folder: Path, cipher: Cipher) -> None:
    with closing(open_store(folder, cipher, PeopleLimits())) as store:
        # Creates the file of the audit.
        store.audit.read_head()
    TokenFile(folder / ACCESS_FILE).create()


@contextmanager
def _transaction(data: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(data / STORE_FILE, isolation_level=None)) as db:
            for name in (KEY_FILE, AUDIT_FILE, ACCESS_FILE):
                if (data / name).exists():
                    db.execute(f"ATTACH ? AS {Path(name).stem}", (str(data / name),))
            db.execute("BEGIN")
            yield db
            db.execute("COMMIT")
    except sqlite3.Error as error:
        raise GatewayError(f"the people store in {data} cannot be copied: {error}") from None


def find_files(data: Path) -> list[str]:
    """Return the names of the files of a store that are in a data folder."""
    return [name for name in _FILES if (data / name).exists()]


def _move_into_place(new: Path, data: Path) -> None:
    """Move complete files into the data folder, and those of an empty store into the folder that is deleted."""
    replaced = new / "replaced"
    replaced.mkdir(mode=0o700)
    for file in (data / f"{name}{suffix}" for name in _FILES for suffix in ("", *SIDECARS)):
        if file.exists():
            file.rename(replaced / file.name)
    for name in _FILES:
        if (new / name).exists():
            (new / name).rename(data / name)
