"""All tables of a store in PostgreSQL, for a copy into another store or from another store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from gateway.errors import GatewayError
from gateway.store.cipher import Cipher
from gateway.store.copied_tables import COPIED_TABLES, NUMBERED, PAGE_ROWS, SingleValues
from gateway.store.limits import PeopleLimits
from gateway.store.postgres.audit_key import AuditKeyRow
from gateway.store.postgres.database import PostgresConnection, PostgresDatabase
from gateway.store.postgres.key_table import KeyTable
from gateway.store.postgres.opening import open_store
from gateway.store.postgres.other_users import check_no_others
from gateway.store.postgres.search_tables import TABLES as SEARCH_TABLES
from gateway.store.relational.audit import HEAD_NOTE
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.database import Row
from gateway.store.relational.encryption import ENCRYPTED

# The tables of the cluster stay: they tell nothing about people.
_OF_LIVE_CAMERAS = "live_cameras", "live_people", "live_events", "live_event_people"
_CLEARED = ", ".join([*COPIED_TABLES, "outbox", "key_check", "audit_key", "browser_sessions", *_OF_LIVE_CAMERAS])


class PostgresTables:
    """The tables, as store.copied_tables.StoreTables describes them."""

    def __init__(self, db: PostgresConnection, audit_key: AuditKeyRow) -> None:
        self._db = db
        self._audit_key = audit_key

    def count(self, table: str) -> int:
        (count,) = self._db.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)  # noqa: S608 (a constant)
        return int(count)

    def rows(self, table: str) -> Iterator[Row]:
        copied = COPIED_TABLES[table]
        columns, key = ", ".join(copied.columns), ", ".join(copied.key)
        # The pictures of 100,000 people are too many for the memory.
        self._db.execute(f"DECLARE copied CURSOR FOR SELECT {columns} FROM {table} ORDER BY {key}")  # noqa: S608
        while page := self._db.execute(f"FETCH {PAGE_ROWS} FROM copied").fetchall():
            yield from page
        self._db.execute("CLOSE copied")

    def clear(self) -> None:
        # The gateway makes the vectors again, if its settings ask for them.
        self._db.execute(f"DROP TABLE IF EXISTS {', '.join(SEARCH_TABLES)}")
        self._db.execute(f"TRUNCATE {_CLEARED}")

    def insert(self, table: str, rows: list[Row]) -> None:
        columns = COPIED_TABLES[table].columns
        marks = ", ".join("?" * len(columns))
        self._db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608

    def read_values(self) -> SingleValues:
        notes = dict(self._db.execute("SELECT key, value FROM meta").fetchall())
        check = self._db.execute("SELECT value FROM key_check").fetchone()
        return SingleValues(
            revision=int(notes["revision"]),
            secret=bytes.fromhex(notes["secret"]),
            audit_head=notes.get(HEAD_NOTE),
            key_check=check[0] if check else None,
            audit_key=self._audit_key.read(self._db),
            last_numbers={table: self._last_number(table) for table in NUMBERED},
        )

    def write_values(self, values: SingleValues) -> None:
        notes = {"revision": str(values.revision), "secret": values.secret.hex()}
        if values.audit_head is not None:
            notes[HEAD_NOTE] = values.audit_head
        if values.key_check is not None:
            notes[ENCRYPTED] = "1"
            self._db.execute("INSERT INTO key_check (one, value, revision) VALUES (1, ?, 1)", (values.key_check,))
        self._db.execute("DELETE FROM meta")
        self._db.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", notes.items())
        if values.audit_key is not None:
            self._audit_key.write(self._db, values.audit_key)
        for table, number in values.last_numbers.items():
            # A sequence that has given no number yet has the value 1.
            self._db.execute(
                "SELECT setval(pg_get_serial_sequence(?, ?), ?, ?)",
                (table, NUMBERED[table], max(number, 1), number > 0),
            )
        (last,) = self._db.execute("SELECT coalesce(max(key), 0) FROM sightings").fetchone() or (0,)
        self._db.execute(
            "SELECT setval(pg_get_serial_sequence('sightings', 'key'), ?, ?)", (max(int(last), 1), last > 0)
        )

    def _last_number(self, table: str) -> int:
        (sequence,) = self._db.execute("SELECT pg_get_serial_sequence(?, ?)", (table, NUMBERED[table])).fetchone() or (
            "",
        )
        row = self._db.execute(f"SELECT last_value, is_called FROM {sequence}").fetchone()  # noqa: S608 (a name)
        return int(row[0]) if row and row[1] else 0


@contextmanager
def reading_tables(url: str, cipher: Cipher) -> Iterator[PostgresTables]:
    """Give the tables of a store, which was opened before. Raise GatewayError if a gateway uses it."""
    with closing(PostgresDatabase(url)) as database, database.reading() as db:
        check_no_others(db, database)
        yield PostgresTables(db, _audit_key(database, cipher))


@contextmanager
def new_tables(url: str, cipher: Cipher) -> Iterator[PostgresTables]:
    """Give the tables of a store without people, which are changed if the block ends without an error.

    Raise GatewayError if a gateway uses it.
    """
    # The key is checked, and the tables are created.
    open_store(url, cipher, PeopleLimits()).close()
    with closing(PostgresDatabase(url)) as database:
        with database.transaction() as db:
            check_no_others(db, database)
            yield PostgresTables(db, _audit_key(database, cipher))
        with closing(open_store(url, cipher, PeopleLimits(), may_encrypt=False)) as store:
            if problems := store.audit.check().problems:
                raise GatewayError(f"the audit of the copy is not right: {problems[0]}")


def _audit_key(database: PostgresDatabase, cipher: Cipher) -> AuditKeyRow:
    return AuditKeyRow(DataKeys(KeyTable(database), cipher))
