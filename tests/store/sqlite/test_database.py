"""The SQLite file: transactions, copies, upgrades."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from gateway.errors import GatewayError, StartError
from gateway.store.sqlite import database as module
from gateway.store.sqlite import schema
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import files_with
from tests.store.examples import RECIPE, enrol, picture
from tests.store.sqlite.old_stores import version_of, write_old_store
from tests.support import WAIT_S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(Database(path)) as database:
        yield database


def put(database: Database, *keys: str) -> None:
    with database.transaction() as db:
        for key in keys:
            db.execute("INSERT INTO meta VALUES (?, 'x')", (key,))


def fail_after(database: Database, key: str) -> None:
    with database.transaction() as db:
        db.execute("INSERT INTO meta VALUES (?, 'x')", (key,))
        raise ZeroDivisionError


def keys(database: Database) -> set[str]:
    return {key for (key,) in database.rows("SELECT key FROM meta WHERE value = 'x'")}


def test_transaction_is_in_the_file_after_reopening(path: Path) -> None:
    with closing(Database(path)) as database:
        put(database, "a", "b")
    with closing(Database(path)) as database:
        assert keys(database) == {"a", "b"}


def test_failed_transaction_changes_nothing(path: Path, database: Database) -> None:
    put(database, "a")
    with pytest.raises(GatewayError, match="the people store"):
        put(database, "b", "c", "a")
    with pytest.raises(ZeroDivisionError):
        fail_after(database, "d")
    assert keys(database) == {"a"}
    put(database, "e")
    with closing(Database(path)) as other:
        assert keys(other) == {"a", "e"}


def test_no_other_connection_sees_half_a_transaction(path: Path, database: Database) -> None:
    with closing(Database(path)) as other:
        with database.transaction() as db:
            db.execute("INSERT INTO meta VALUES ('a', 'x')")
            assert keys(other) == set()
        assert keys(other) == {"a"}


def test_error_of_a_query_is_a_gateway_error(database: Database) -> None:
    for query in (database.rows, database.row):
        with pytest.raises(GatewayError, match="no such table"):
            query("SELECT * FROM absent")


def test_writer_waits_for_another(path: Path, database: Database) -> None:
    with closing(Database(path)) as other:
        writing = threading.Thread(target=put, args=(other, "b"))
        with database.transaction() as db:
            db.execute("INSERT INTO meta VALUES ('a', 'x')")
            writing.start()
            writing.join(0.3)
            assert writing.is_alive()
        writing.join()
        assert keys(database) == {"a", "b"}


def test_writer_does_not_wait_for_ever(path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_TIMEOUT_S", 0.1)
    with (
        closing(Database(path)) as other,
        database.transaction(),
        pytest.raises(GatewayError, match="locked"),
    ):
        put(other, "b")


def test_copy_is_consistent_while_another_connection_writes(path: Path, database: Database) -> None:
    """Each transaction adds two rows: a copy contains both or none."""
    begun, done = threading.Event(), threading.Event()

    def write() -> None:
        with closing(Database(path)) as other:
            n = 0
            while not done.is_set():
                put(other, f"{n}a", f"{n}b")
                begun.set()
                n += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert begun.wait(60)
        counts = []
        for n in range(10):
            copy = path.with_name(f"copy{n}")
            database.copy(copy)
            with closing(sqlite3.connect(copy)) as db:
                counts.append(db.execute("SELECT count(*) FROM meta WHERE value = 'x'").fetchone()[0])
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        done.set()
        writing.join()
    assert all(count % 2 == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_copy_is_one_file_that_only_the_owner_may_read(path: Path, database: Database) -> None:
    put(database, "a")
    copy = path.with_name("copy.sqlite")
    database.copy(copy)
    assert {each.name for each in path.parent.iterdir()} - {path.name, f"{path.name}-wal", f"{path.name}-shm"} == {
        copy.name
    }
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(Database(copy)) as other:
        assert keys(other) == {"a"}


def test_copy_contains_no_row_of_excluded_tables(path: Path, database: Database) -> None:
    with database.transaction() as db:
        db.execute("INSERT INTO unknowns (id, first, last, seen, cameras) VALUES (1, 0, 0, 1, '[\"the door\"]')")
        db.execute(
            "INSERT INTO unknown_faces (unknown, recipe, descriptor, chips, worth) VALUES (1, 'r', ?, ?, 1)",
            (descriptor(1).tobytes(), b"an unknown face" * 1000),
        )
    copy = path.with_name("copy.sqlite")
    database.copy(copy, without=("unknowns",))
    traces = (descriptor(1).tobytes(), b"an unknown face", b"the door")
    assert copy.name not in files_with(path.parent, *traces)
    assert database.rows("SELECT seen FROM unknowns") == [(1,)]
    database.copy(copy)
    assert copy.name in files_with(path.parent, *traces)


def test_failed_copy_leaves_an_existing_file_unchanged(path: Path, database: Database) -> None:
    with pytest.raises(GatewayError, match="the people store"):
        database.copy(path.parent / "absent" / "copy.sqlite")
    copy = path.with_name("copy.sqlite")
    copy.write_text("before")
    path.with_name("copy.sqlite.new").mkdir()
    with pytest.raises(GatewayError, match="the people store"):
        database.copy(copy)
    assert copy.read_text() == "before"


def test_scrub_erases_deleted_data_from_the_file_and_its_log(path: Path, database: Database) -> None:
    put(database, "somebody's name")
    assert files_with(path.parent, b"somebody's name")
    with database.transaction() as db:
        db.execute("DELETE FROM meta WHERE value = 'x'")
    database.scrub()
    assert files_with(path.parent, b"somebody's name") == set()


def test_damaged_file_is_refused_by_name(path: Path) -> None:
    with closing(Database(path)) as database:
        put(database, *(f"{n:05}" for n in range(2000)))
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 8 * 4096] = bytes(range(256)) * 80
    path.write_bytes(content)
    with pytest.raises(StartError, match=r"people\.sqlite cannot be used .*facegate restore"):
        Database(path)
    assert path.read_bytes()[: 8 * 4096] == content[: 8 * 4096]


def test_newer_version_is_refused_by_name(path: Path) -> None:
    with closing(Database(path)) as database:
        put(database, "a")
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StartError, match=r"people\.sqlite was written by a newer Facegate"):
        Database(path)
    assert version_of(path) == schema.VERSION + 1
    assert list(path.parent.glob("backups/*")) == []


def test_upgrade_without_a_possible_backup_is_an_error_at_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_old_store(path, 2)
    monkeypatch.setattr("time.strftime", lambda *_: "now")
    (path.parent / "backups" / f"before-version-{schema.VERSION}-now.sqlite.new").mkdir(parents=True)
    with pytest.raises(StartError, match=r"people\.sqlite cannot be used"):
        Database(path)
    assert version_of(path) == 2


def open_each(paths: list[Path], barrier: Barrier, results: Queue[tuple[str, str, int]]) -> None:
    for path in paths:
        barrier.wait(60)
        try:
            with closing(SqliteStore(path)) as store:
                results.put((path.parent.name, "", len(store.faces.changes(0, RECIPE).snapshot.people)))
        except Exception as error:
            results.put((path.parent.name, repr(error), 0))


@pytest.mark.parametrize("version", [1, 2])
def test_two_processes_that_open_an_old_file_upgrade_it_once(tmp_path: Path, version: int) -> None:
    """The backup contains the file before the upgrade."""
    rounds = 12
    paths = [tmp_path / str(n) / "people.sqlite" for n in range(rounds)]
    for path in paths:
        path.parent.mkdir()
        write_old_store(path, version)
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=open_each, args=(paths, barrier, results)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in range(2 * rounds)]
    for process in processes:
        process.join(60)
    assert [(error, people) for _, error, people in found] == [("", 2)] * (2 * rounds)
    for path in paths:
        assert version_of(path) == schema.VERSION
        backups = list((path.parent / "backups").iterdir())
        assert [version_of(backup) for backup in backups] == [version] * len(backups)
        assert backups


def test_two_stores_on_one_file_see_each_other_s_changes(path: Path) -> None:
    with closing(SqliteStore(path)) as one, closing(SqliteStore(path)) as other:
        enrol(one, "Alice")
        enrol(other, "Bob", picture("d2"))
        assert [entry.person.slug for entry in one.people.list_entries()] == ["alice", "bob"]
        assert one.faces.revision() == other.faces.revision()


def test_copy_does_not_wait_for_a_transaction_of_another_thread(database: Database, tmp_path: Path) -> None:
    """Regression: all threads waited while a large store was copied."""
    to = tmp_path / "copy.sqlite"
    with database.transaction():
        thread = threading.Thread(target=database.copy, args=(to,))
        thread.start()
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert to.exists()
