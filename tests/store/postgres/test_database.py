"""Transactions in PostgreSQL: their changes, their locks, and the state that each of them sees."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import Busy, GatewayError
from gateway.store.postgres.connections import MAX_CONNECTIONS, TimeLimits
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.relational.database import Connection, Database
from tests.support import wait_for


def add_note(db: Connection, name: str, value: str = "") -> None:
    db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", (name, value))


def notes(database: Database) -> list[str]:
    return [key for (key,) in database.rows("SELECT key FROM meta WHERE substr(key, 1, 2) = ? ORDER BY key", ("n-",))]


@pytest.mark.parametrize("value", [b"\0\xff", "ä 'x' ?", 2**62, -1, 0.1, True, False, None])
def test_values_come_back_as_they_were(database: PostgresDatabase, value: object) -> None:
    kinds = {bytes: "BYTEA", str: "TEXT", int: "BIGINT", float: "DOUBLE PRECISION", bool: "BOOLEAN"}
    kind = kinds.get(type(value), "TEXT")
    with database.transaction() as db:
        db.execute(f"CREATE TABLE kept (value {kind})")
        db.execute("INSERT INTO kept (value) VALUES (?)", (value,))
        db.executemany("INSERT INTO kept (value) VALUES (?)", [(value,), (value,)])
    found = [each for (each,) in database.rows("SELECT value FROM kept")]
    assert found == [value] * 3
    assert type(found[0]) is type(value)
    assert database.row("SELECT 1 FROM kept WHERE FALSE") is None


def test_inner_transaction_is_a_part_of_the_outer_one(database: PostgresDatabase, other: PostgresDatabase) -> None:
    assert not database.in_transaction

    def change_in_vain() -> None:
        with database.transaction() as db:
            with database.transaction() as inner:
                add_note(inner, "n-1")
                assert database.in_transaction
            with database.reading():
                # A query within a transaction sees what it changed.
                assert notes(database) == ["n-1"]
            assert notes(other) == []
            add_note(db, "n-2")
            raise RuntimeError("outer")

    with pytest.raises(RuntimeError, match="outer"):
        change_in_vain()
    assert not database.in_transaction
    assert notes(database) == []
    with database.transaction() as db:
        add_note(db, "n-3")
        with pytest.raises(RuntimeError, match="inner"), database.transaction():
            raise RuntimeError("inner")
    assert notes(other) == ["n-3"]


def test_other_thread_is_not_within_the_transaction(database: PostgresDatabase) -> None:
    with database.transaction() as db, ThreadPoolExecutor(1) as pool:
        add_note(db, "n-1")
        assert pool.submit(lambda: (database.in_transaction, notes(database))).result() == (False, [])
    assert notes(database) == ["n-1"]


def test_wrong_statement_undoes_the_transaction_and_spares_the_next(database: PostgresDatabase) -> None:
    def add_two() -> None:
        with database.transaction() as db:
            add_note(db, "n-1")
            db.execute("INSERT INTO meta (key) VALUES (?)", ("n-2",))

    with pytest.raises(GatewayError, match="the people store: null value in column"):
        add_two()
    with pytest.raises(GatewayError, match='relation "nowhere" does not exist'):
        database.rows("SELECT 1 FROM nowhere")
    with database.transaction() as db:
        add_note(db, "n-3")
    assert notes(database) == ["n-3"]


def test_changes_of_all_processes_come_one_after_the_other(database: PostgresDatabase, other: PostgresDatabase) -> None:
    """Each change depends on what it read: without the lock, some would be lost."""

    def increment(database: PostgresDatabase) -> None:
        for _ in range(25):
            with database.transaction() as db:
                ((value,),) = db.execute("SELECT value FROM meta WHERE key = 'n-sum'").fetchall()
                db.execute("UPDATE meta SET value = ? WHERE key = 'n-sum'", (str(int(value) + 1),))

    with database.transaction() as db:
        add_note(db, "n-sum", "0")
    threads = [threading.Thread(target=increment, args=(each,)) for each in (database, other) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.row("SELECT value FROM meta WHERE key = 'n-sum'") == ("100",)


def test_change_waits_for_another_one_and_reading_does_not(database: PostgresDatabase, other: PostgresDatabase) -> None:
    began = threading.Event()

    def add() -> None:
        began.set()
        with other.transaction() as db:
            add_note(db, "n-2")

    thread = threading.Thread(target=add)
    with database.transaction() as db:
        thread.start()
        assert began.wait(60)
        wait_for(lambda: waits_for_a_lock(database))
        assert notes(other) == []
        add_note(db, "n-1")
    thread.join()
    assert notes(database) == ["n-1", "n-2"]


def waits_for_a_lock(database: PostgresDatabase) -> bool:
    here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
    sql = f"SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND database = {here}"  # noqa: S608
    return database.row(sql) is not None


def test_reading_sees_one_state_and_changes_nothing(database: PostgresDatabase, other: PostgresDatabase) -> None:
    with database.reading():
        assert notes(database) == []
        with other.transaction() as db:
            add_note(db, "n-1")
        assert notes(database) == []
    assert notes(database) == ["n-1"]
    with pytest.raises(GatewayError, match="accepts no changes"), database.reading() as db:
        add_note(db, "n-2")


class Recorder:
    """A participant of transactions that notes its calls, and fails if it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.act: Callable[[], None] = lambda: None

    def before_commit(self) -> None:
        self.calls.append("before")
        self.act()

    def after_commit(self) -> None:
        self.calls.append("committed")

    def after_rollback(self) -> None:
        self.calls.append("rolled back")


def test_participant_joins_the_transaction(postgres_url: str) -> None:
    recorder = Recorder()
    database = PostgresDatabase(postgres_url, participant=recorder)

    def add_within() -> None:
        with database.transaction() as db:
            add_note(db, "n-1")

    recorder.act = add_within
    with database.transaction():
        pass
    assert recorder.calls == ["before", "committed"]
    assert notes(database) == ["n-1"]
    with pytest.raises(GatewayError, match="duplicate key"), database.transaction():
        pass
    assert recorder.calls == ["before", "committed", "before", "rolled back"]
    database.close()


def test_many_threads_share_a_few_connections(database: PostgresDatabase) -> None:
    ready = threading.Barrier(2 * MAX_CONNECTIONS)

    def read() -> int:
        ready.wait()
        with database.reading():
            return len(notes(database))

    with ThreadPoolExecutor(2 * MAX_CONNECTIONS) as pool:
        assert sum(each.result() for each in [pool.submit(read) for _ in range(2 * MAX_CONNECTIONS)]) == 0
    (count,) = database.row("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") or (0,)
    assert 1 <= count <= MAX_CONNECTIONS
    assert database.is_writable()
    database.close()
    assert not database.is_writable()


def test_threads_that_wait_for_a_change_elsewhere_leave_connections_for_readers(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    """Regression: each of them had a connection, and the replica could not follow the people any more."""
    with ThreadPoolExecutor(MAX_CONNECTIONS) as pool:
        with other.transaction() as db:
            add_note(db, "n-0")

            def change(number: int) -> None:
                with database.transaction() as db:
                    add_note(db, f"n-{number}")

            changes = [pool.submit(change, number + 1) for number in range(MAX_CONNECTIONS)]
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            wait_for(lambda: other.row(waiting) != (0,))
            assert notes(database) == []
            assert not any(each.done() for each in changes)
        for each in changes:
            each.result()
    assert len(notes(database)) == MAX_CONNECTIONS + 1


def test_change_ends_with_busy_after_a_long_change_of_another_thread(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url, limits=TimeLimits(lock=0.2))

    def change() -> None:
        with database.transaction():
            pass

    with ThreadPoolExecutor(1) as pool, database.transaction():
        error = pool.submit(change).exception()
    assert isinstance(error, Busy)
    assert "other changes of this process took longer than 0.2 s" in str(error)
    change()
    database.close()
