"""A server that is away, hangs or refuses, and processes that hang: nothing waits without an end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from device_sim.postgres_server import USER, PostgresServer
from gateway.errors import Busy, GatewayError, StartError, StoreAway
from gateway.store.postgres import failures
from gateway.store.postgres.address import parse_address
from gateway.store.postgres.connections import TimeLimits
from gateway.store.postgres.database import PostgresDatabase
from tests.support import ROOT, WAIT_S, free_port, wait_for

HOLD = """
import sys, time
from gateway.errors import GatewayError
from gateway.store.postgres.connections import TimeLimits
from gateway.store.postgres.database import PostgresDatabase

database = PostgresDatabase(sys.argv[1], limits=TimeLimits(idle=1))
try:
    with database.transaction() as db:
        db.execute("INSERT INTO meta (key, value) VALUES ('held', '')")
        print("holding", flush=True)
        sys.stdin.readline()
        db.execute("INSERT INTO meta (key, value) VALUES ('held too', '')")
except GatewayError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def prepared_url(postgres_url: str) -> str:
    """The address of a database with its tables: on a busy machine to create them takes longer than short limits."""
    PostgresDatabase(postgres_url).close()
    return postgres_url


def write(database: PostgresDatabase, name: str = "written") -> None:
    with database.transaction() as db:
        db.execute("INSERT INTO meta (key, value) VALUES (?, '')", (name,))


def names(database: PostgresDatabase) -> set[str]:
    return {key for (key,) in database.rows("SELECT key FROM meta")} - {"revision", "secret"}


def test_server_that_is_away_is_busy_until_it_is_back(postgres_server: PostgresServer) -> None:
    with closing(PostgresDatabase(postgres_server.create_database())) as database:
        write(database, "before")
        uses: list[Callable[[], object]] = [lambda: names(database), lambda: write(database), lambda: reading(database)]
        for end in (postgres_server.kill, postgres_server.stop):
            end()
            try:
                for use in uses:
                    with pytest.raises(Busy, match=r"^the people store cannot be reached now: try again$") as caught:
                        use()
                    assert caught.value.retry_after >= 1
                assert not database.is_writable()
            finally:
                postgres_server.start()
            # The first use after a restart succeeds: connections from before are replaced.
            assert "before" in names(database)
        write(database, "after")
        assert database.is_writable()
        assert names(database) == {"before", "after"}


def test_full_disk_of_the_server_is_a_warning(database: PostgresDatabase) -> None:
    """Regression: a gateway that could enrol nobody and store no sighting had no warning."""
    assert not database.warnings
    message = "the people store has no space left: make room on the disk of PostgreSQL"
    with pytest.raises(GatewayError, match=message), database.transaction() as db:
        # The code with which the server reports a full disk.
        db.execute("DO $$ BEGIN RAISE disk_full; END $$")
    assert list(database.warnings) == [message]
    write(database)


def test_two_reasons_in_turns_are_logged_once_each(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: each of them was logged again and again, since it differed from the one before."""
    monkeypatch.setattr(failures, "LOG_INTERVAL_S", 2 * WAIT_S)
    for code in ("disk_full", "out_of_memory") * 3:
        with pytest.raises(GatewayError), database.transaction() as db:
            db.execute(f"DO $$ BEGIN RAISE {code}; END $$")
        # A success between does not begin anew: while the disk is full, reads succeed.
        assert names(database) == set()
    place = database.address.place
    assert caplog.messages == [f"PostgreSQL at {place}: disk_full", f"PostgreSQL at {place}: out_of_memory"]


def reading(database: PostgresDatabase) -> None:
    with database.reading() as db:
        db.execute("SELECT 1")


def test_place_of_a_server_that_is_away_is_in_the_log_only(
    postgres_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: devices and callers without a token learned the host and the port of the database."""
    with closing(PostgresDatabase(postgres_server.create_database())) as database:

        def fail() -> str:
            with pytest.raises(Busy) as caught:
                write(database)
            return str(caught.value)

        postgres_server.stop()
        try:
            fail()
            texts = [fail() for _ in range(5)]
        finally:
            postgres_server.start()
        place = database.address.place
        host, port = place.partition("/")[0].split(":")
        assert not [each for each in texts if host in each or port in each]
        # Connections from before fail with another reason than new ones.
        assert len([each for each in caplog.messages if each.startswith(f"PostgreSQL at {place}: ")]) in {1, 2}


def test_transaction_of_a_killed_server_is_undone(postgres_server: PostgresServer) -> None:
    with closing(PostgresDatabase(postgres_server.create_database())) as database:

        def lose_the_server() -> None:
            with database.transaction() as db:
                db.execute("INSERT INTO meta (key, value) VALUES ('lost', '')")
                postgres_server.kill()
                postgres_server.start()
                db.execute("INSERT INTO meta (key, value) VALUES ('lost too', '')")

        with pytest.raises(Busy):
            lose_the_server()
        assert not database.in_transaction
        write(database)
        assert names(database) == {"written"}


@pytest.fixture
def holder(postgres_url: str) -> Iterator[subprocess.Popen[str]]:
    """A process within a transaction, which holds the lock of all changes."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, postgres_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield process
        process.kill()


def test_paused_process_within_a_transaction_does_not_stop_the_others(
    database: PostgresDatabase, holder: subprocess.Popen[str]
) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    write(database)
    os.kill(holder.pid, signal.SIGCONT)
    output, _ = holder.communicate("go on\n", timeout=60)
    assert output.startswith("Busy the people store cannot be reached now")
    assert names(database) == {"written"}


def test_killed_process_within_a_transaction_leaves_nothing(
    database: PostgresDatabase, holder: subprocess.Popen[str]
) -> None:
    holder.kill()
    write(database)
    assert names(database) == {"written"}


def test_change_that_waits_too_long_for_the_lock_is_busy(postgres_url: str, database: PostgresDatabase) -> None:
    with closing(PostgresDatabase(postgres_url, limits=TimeLimits(lock=0.1))) as other:
        with database.transaction(), pytest.raises(Busy, match=r"has too much to do now .*lock timeout"):
            write(other)
        write(other)
        assert names(database) == {"written"}


def test_statement_that_takes_too_long_is_busy(prepared_url: str) -> None:
    with closing(PostgresDatabase(prepared_url, limits=TimeLimits(statement=2))) as database:
        with pytest.raises(Busy, match="statement timeout"):
            database.rows("SELECT pg_sleep(60)")
        assert names(database) == set()


def test_paused_server_is_busy_and_later_used_again(prepared_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The kernel of a paused server still confirms each packet, so that no keep-alive of TCP helps."""
    with closing(PostgresDatabase(prepared_url, limits=TimeLimits(answer=2))) as database:
        (pid,) = database.row("SELECT pg_backend_pid()") or (0,)
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(Busy, match="cannot be reached now"):
                # A lost connection is replaced, but not one that was just too slow.
                names(database)
            assert "it did not answer within 2 s" in caplog.text
            assert names(database) == set()
        finally:
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: not Path(f"/proc/{pid}").exists())


def refused(postgres_server: PostgresServer, kind: str) -> str:
    """Return an address that cannot be used."""
    url = postgres_server.create_database()
    password = url.partition(f"{USER}:")[2].partition("@")[0]
    return {
        "password": url.replace(password, "S3cret-wrong"),
        "user": url.replace(f"{USER}:{password}", "nobody:S3cret-wrong"),
        "database": url.rpartition("/")[0] + "/missing",
        "port": url.replace(str(postgres_server.port), str(free_port())),
        "host": url.replace("127.0.0.1", "no-such-host.invalid"),
        "mode": f"{url}?sslmode=verifyfull",
        "form": f"postgresql://{USER}:S3cret-wrong%zz@127.0.0.1/x",
        "port number": f"postgresql://{USER}:S3cret-wrong@127.0.0.1:port/x",
    }[kind]


@pytest.mark.parametrize(
    ("kind", "error", "advice"),
    [
        ("password", StartError, "password authentication failed .*: check the user and the password in people.store"),
        ("user", StartError, "password authentication failed .*: check the user"),
        ("database", StartError, 'database "missing" does not exist.*: create it with .*create.sql'),
        ("port", StoreAway, "Connection refused.*: check that PostgreSQL runs, and the host and the port"),
        ("host", StoreAway, "resolve host.*: check the host in people.store"),
        ("mode", StartError, 'invalid sslmode value: "verifyfull".*: correct this option in people.store'),
        ("form", StartError, "not a valid address of PostgreSQL: write postgresql://USER:PASSWORD@HOST"),
        ("port number", StartError, "people.store"),
    ],
)
def test_refusal_says_what_to_do_and_never_the_password(
    postgres_server: PostgresServer, kind: str, error: type[StartError], advice: str
) -> None:
    url = refused(postgres_server, kind)
    with pytest.raises(error, match=advice) as caught:
        PostgresDatabase(url)
    password = url.partition(":")[2].partition(":")[2].partition("@")[0]
    assert type(caught.value) is error
    messages, cause = "", caught.value
    while cause is not None:
        messages += f"{cause} {cause!r}"
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)  # type: ignore[assignment]
    assert password not in messages
    assert len(str(caught.value).splitlines()) == 1


def test_server_that_closes_each_connection_is_away() -> None:
    """A proxy in front of PostgreSQL behaves like this while PostgreSQL starts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()
        server.settimeout(0.05)

        def close_each() -> None:
            while not stop.is_set():
                with suppress(TimeoutError):
                    server.accept()[0].close()

        thread = threading.Thread(target=close_each)
        thread.start()
        try:
            with pytest.raises(StoreAway, match=r"closed the connection|reset"):
                PostgresDatabase(f"postgresql://{USER}@127.0.0.1:{server.getsockname()[1]}/facegate")
        finally:
            stop.set()
            thread.join()


def test_address_shows_no_password() -> None:
    address = parse_address("postgresql://user:S3cret@db.example/people")
    assert address.place == "db.example:5432/people"
    assert "S3cret" not in repr(address)
    assert parse_address("postgresql:///people").place == "the local socket, people"


def test_user_without_rights_is_told_the_statement(postgres_server: PostgresServer, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as db, suppress(psycopg.errors.DuplicateObject):
        db.execute("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    url = postgres_url.replace(postgres_url.partition("//")[2].partition("@")[0], "guest:guest")
    with pytest.raises(StartError, match=r"permission denied for database .*GRANT CREATE ON DATABASE"):
        PostgresDatabase(url)


def test_closed_store_is_an_error(database: PostgresDatabase) -> None:
    database.close()
    with pytest.raises(GatewayError, match="cannot be reached now"):
        names(database)


@pytest.mark.parametrize("password", ["S3cr/etXY", "S3cr@etXY", "12/etXY", "/etXY", "@etXY", "S3cr:etXY@"])
def test_password_with_a_special_character_is_not_shown(password: str) -> None:
    with pytest.raises(StartError, match="in the password %40 for @") as refused:
        parse_address(f"postgresql://facegate:{password}@db.example/people")
    assert "etXY" not in str(refused.value)


def test_address_of_several_servers_is_accepted() -> None:
    assert parse_address("postgresql://u:p@one.example:5432,two.example:5433/people").parameters["port"] == "5432,5433"
