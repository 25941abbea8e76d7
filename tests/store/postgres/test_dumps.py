"""The scripts that dump and restore a database: people in one dump, and in another what must not become older."""

from __future__ import annotations

import os
import pwd
import re
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from device_sim.postgres_server import PostgresServer, find_programs
from gateway.errors import StartError
from gateway.model.caller import CLI_CALLER, REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.postgres.broker_notes import SECRET_BYTES, PostgresBrokerNotes
from gateway.store.postgres.opening import check_master_key
from gateway.store.postgres.store import PostgresStore
from gateway.store.records import StoredFace
from gateway.store.tokens import Token
from tests.examples import descriptor
from tests.people.environment import KEY, OTHER_KEY
from tests.store.examples import CHIPS, RECIPE, enrol, people, picture
from tests.support import ROOT

SCRIPTS = ROOT / "config" / "cluster" / "postgresql"
PAGE = ROOT / "docs" / "how-to" / "run-several-gateways.md"
IS_ROOT = os.geteuid() == 0

pytestmark = pytest.mark.skipif(
    IS_ROOT and "postgres" not in {user.pw_name for user in pwd.getpwall()},
    reason="root runs the programs of PostgreSQL as the user postgres, who is missing",
)


def run(
    script: str, url: str, *arguments: str | Path, programs: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script of config/cluster/postgresql against the server of an address.

    ``programs``: a folder with programs to use instead of those of PostgreSQL.
    """
    parts = urlsplit(url)
    variables = {
        "PATH": ":".join(map(str, [*filter(None, [programs]), find_programs(), os.environ["PATH"]])),
        "PGHOST": str(parts.hostname),
        "PGPORT": str(parts.port),
        "PGUSER": str(parts.username),
        "PGPASSWORD": parts.password or "",
    }
    command = ["sh", str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


def name_of(url: str) -> str:
    """Return the name of the database of an address."""
    return urlsplit(url).path[1:]


def dump(url: str, folder: Path) -> tuple[Path, Path]:
    """Make both dumps. Return the one of the people, and the other one."""
    done = run("dump.sh", url, folder, name_of(url))
    assert (done.returncode, done.stderr) == (0, "")
    (people_dump,) = folder.glob("people-*.dump")
    return people_dump, folder / "kept.dump"


def content_of(path: Path) -> str:
    """Return a dump as statements."""
    return subprocess.check_output([find_programs() / "pg_restore", "--file=-", path], text=True)


def test_page_has_the_commands_of_the_scripts() -> None:
    commands = re.findall(r"^sudo sh config/cluster/postgresql/(\w+\.sh) (.+)$", PAGE.read_text(), re.MULTILINE)
    assert {name: len(words.split()) for name, words in commands} == {"dump.sh": 1, "restore.sh": 3}


def test_other_users_of_the_machine_cannot_read_the_dumps(postgres_url: str, tmp_path: Path) -> None:
    with closing(PostgresStore(postgres_url, Cipher(KEY))) as store:
        enrol(store, "Ada")
    dump(postgres_url, tmp_path)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


@pytest.fixture
def programs() -> Iterator[Path]:
    """An empty folder for programs, which the user postgres may read: it may not read ``tmp_path`` of root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def add_failing_pg_dump(programs: Path, fails_at: int) -> None:
    """Add a pg_dump that prints half of a dump at this call, and then fails. The calls before go to PostgreSQL."""
    program, calls = programs / "pg_dump", programs / "calls"
    calls.touch()
    # The user postgres counts the calls here.
    calls.chmod(0o666)
    program.write_text(
        f"""#!/bin/sh
echo >>{calls}
[ "$(wc -l <{calls})" -ge {fails_at} ] || exec {find_programs()}/pg_dump "$@"
echo half
exit 1
"""
    )
    program.chmod(0o755)


def read_all(folder: Path) -> dict[str, bytes]:
    """Return the content of each file of a folder by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_dump_without_a_database_leaves_the_earlier_dumps(postgres_url: str, tmp_path: Path) -> None:
    with closing(PostgresStore(postgres_url, Cipher(KEY))) as store:
        enrol(store, "Ada")
    dump(postgres_url, tmp_path)
    before = read_all(tmp_path)
    done = run("dump.sh", postgres_url, tmp_path, "absent")
    assert done.returncode == 1
    assert "The earlier dumps are unchanged." in done.stderr
    assert read_all(tmp_path) == before


@pytest.mark.parametrize("fails_at", [1, 2], ids=["people", "kept"])
def test_dump_that_fails_leaves_its_earlier_file(
    postgres_url: str, tmp_path: Path, programs: Path, fails_at: int
) -> None:
    """Regression: a dump that failed left an empty file in place of the only copy of the data keys."""
    with closing(PostgresStore(postgres_url, Cipher(KEY))) as store:
        enrol(store, "Ada")
        people_dump, kept = dump(postgres_url, tmp_path)
        enrol(store, "Bob", picture("d2"))
    before = read_all(tmp_path)
    add_failing_pg_dump(programs, fails_at)
    done = run("dump.sh", postgres_url, tmp_path, name_of(postgres_url), programs=programs)
    failed = (people_dump, kept)[fails_at - 1]
    assert done.returncode == 1
    assert f"{failed} was not written; see above. The earlier {failed}, if there is one, is unchanged." in done.stderr
    after = read_all(tmp_path)
    assert after.keys() == before.keys()
    assert after[kept.name] == before[kept.name]
    # The people are dumped first.
    assert (after[people_dump.name] == before[people_dump.name]) == (fails_at == 1)


def test_folder_of_a_dump_that_failed_is_closed_to_other_stores(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, programs: Path
) -> None:
    """Regression: the folder got the mark of its store last, so a dump of another store replaced the people."""
    PostgresStore(postgres_url, Cipher(KEY)).close()
    add_failing_pg_dump(programs, 2)
    assert run("dump.sh", postgres_url, tmp_path, name_of(postgres_url), programs=programs).returncode == 1
    before = read_all(tmp_path)
    assert any(name.startswith("people-") for name in before)
    new = postgres_server.create_database()
    PostgresStore(new, Cipher(KEY)).close()
    done = run("dump.sh", new, tmp_path, name_of(new))
    assert "has the dumps of another store" in done.stderr
    assert read_all(tmp_path) == before
    dump(postgres_url, tmp_path)


def test_dump_of_another_store_replaces_nothing(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Regression: after a loss, the dump of the new and empty store replaced the only copy of the data keys."""
    with closing(PostgresStore(postgres_url, Cipher(KEY))) as store:
        enrol(store, "Ada")
    dump(postgres_url, tmp_path)
    before = read_all(tmp_path)
    empty, new = postgres_server.create_database(), postgres_server.create_database()
    PostgresStore(new, Cipher(KEY)).close()
    for url, problem in ((empty, "has no people store of Facegate"), (new, "has the dumps of another store")):
        done = run("dump.sh", url, tmp_path, name_of(url))
        assert done.returncode == 1
        assert problem in done.stderr
        assert read_all(tmp_path) == before
    dump(postgres_url, tmp_path)


def test_restored_database_is_closed_to_other_users(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with closing(PostgresStore(postgres_url, Cipher(KEY))) as store:
        enrol(store, "Ada")
    database = f"restored_{uuid.uuid4().hex}"
    done = run("restore.sh", postgres_url, database, *dump(postgres_url, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    other = f"?user={database}_other&password=other"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {database}_other LOGIN PASSWORD 'other'")
        psycopg.connect(postgres_url + other).close()
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(postgres_server.url_of(database) + other)
        connection.execute(f"DROP ROLE {database}_other")


def test_dump_that_is_missing_makes_no_database(postgres_url: str, tmp_path: Path) -> None:
    database = f"restored_{uuid.uuid4().hex}"
    done = run("restore.sh", postgres_url, database, tmp_path / "people.dump", tmp_path / "kept.dump")
    assert done.returncode != 0
    assert "people.dump" in done.stderr
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).fetchone() is None


def test_restored_database_has_another_secret_of_the_client_ids(postgres_url: str, tmp_path: Path) -> None:
    """Regression: any login of the broker and a dump were enough to end the leader's connection, for ever."""
    with (
        closing(PostgresStore(postgres_url, Cipher(KEY))) as store,
        closing(PostgresBrokerNotes(postgres_url)) as notes,
    ):
        enrol(store, "Ada")
        secret = notes.get_secret()
        people_dump, kept = dump(postgres_url, tmp_path)
    assert "Ada" in content_of(people_dump)
    assert all("COPY facegate.cluster_secret" not in content_of(path) for path in (people_dump, kept))
    assert all(secret.hex() not in content_of(path) for path in (people_dump, kept))
    database = f"restored_{uuid.uuid4().hex}"
    done = run("restore.sh", postgres_url, database, people_dump, kept)
    assert (done.returncode, done.stderr) == (0, "")
    with closing(PostgresBrokerNotes(postgres_url.replace(name_of(postgres_url), database))) as notes:
        assert len(notes.get_secret()) == SECRET_BYTES
        assert notes.get_secret() != secret


def test_statement_of_the_page_renews_the_secret_of_the_client_ids(postgres_url: str) -> None:
    (statement,) = re.findall(
        r'^sudo -u postgres psql --dbname facegate --command "(.+)"$', PAGE.read_text(), re.MULTILINE
    )
    with (
        closing(PostgresStore(postgres_url, Cipher(KEY))),
        closing(PostgresBrokerNotes(postgres_url)) as notes,
        psycopg.connect(postgres_url, autocommit=True) as connection,
    ):
        before = notes.get_secret()
        assert notes.get_secret() == before
        connection.execute(statement)
        assert notes.get_secret() != before


def test_erased_person_stays_erased_when_older_people_are_restored(postgres_url: str, tmp_path: Path) -> None:
    older = tmp_path / "older.dump"
    with closing(PostgresStore(postgres_url, Cipher(KEY))) as store:
        enrol(store, "Ada")
        enrol(store, "Bob", picture("d2"))
        store.tokens.add(Token("phone", "admin", 1.0), b"1" * 32)
        store.audit.flush()
        dump(postgres_url, tmp_path)[0].rename(older)
        store.people.remove("ada", REST_CALLER, erase=True)
        store.keys.destroy_erased()
        store.tokens.remove("phone")
        store.audit.record(CLI_CALLER, "rotate_key")
        store.audit.flush()
        store.keys.rotate(Cipher(OTHER_KEY))
        head = store.audit.read_head()
        kept = dump(postgres_url, tmp_path)[1]
    database = f"restored_{uuid.uuid4().hex}"
    done = run("restore.sh", postgres_url, database, older, kept)
    assert (done.returncode, done.stderr) == (0, "")
    with closing(PostgresStore(postgres_url.replace(name_of(postgres_url), database), Cipher(OTHER_KEY))) as store:
        assert [each.slug for each in people(store)] == ["bob"]
        assert store.tokens.list_tokens() == []
        assert store.audit.read_head() == head
        assert store.audit.check().problems == ()


def restore_one(server: PostgresServer, path: Path) -> str:
    """Restore a dump of the people alone, as an administrator may do by hand. Return the address of the database."""
    url = server.create_database()
    done = subprocess.run(
        [find_programs() / "pg_restore", "--single-transaction", "--dbname", url, path], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return url


def content_without_ids(url: str, folder: Path) -> str:
    """Return all of a database as statements, without the random word with which pg_dump protects them."""
    path = folder / "whole.dump"
    subprocess.run([find_programs() / "pg_dump", "--format=custom", "--file", path, url], check=True)
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", content_of(path))


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.parametrize("names", [("Ada",), ()])
def test_encrypted_people_without_their_keys_are_left_as_they_are(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path, key: bytes | None, names: tuple[str, ...]
) -> None:
    """Regression: they were taken for a store that is not encrypted yet, encrypted again, and the strangers deleted."""
    with closing(PostgresStore(postgres_url, Cipher(KEY))) as store:
        for name in names:
            enrol(store, name)
        store.unknown_groups(RECIPE).add_group("door", 100.0, 0.5, StoredFace(descriptor(2), CHIPS))
        people_dump, kept = dump(postgres_url, tmp_path)
    url = restore_one(postgres_server, people_dump)
    before = content_without_ids(url, tmp_path)
    with pytest.raises(StartError, match=r"data keys are missing: restore the people with the newest kept\.dump"):
        PostgresStore(url, Cipher(key))
    with pytest.raises(StartError, match="its data keys are missing"):
        check_master_key(url, Cipher(KEY))
    assert content_without_ids(url, tmp_path) == before
    database = f"restored_{uuid.uuid4().hex}"
    done = run("restore.sh", postgres_url, database, people_dump, kept)
    assert (done.returncode, done.stderr) == (0, "")
    with closing(PostgresStore(postgres_server.url_of(database), Cipher(KEY))) as store:
        assert [each.name for each in people(store)] == list(names)
        assert len(store.unknown_groups(RECIPE).load()) == 1


def test_plain_people_with_keys_of_later_are_left_as_they_are(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    older = tmp_path / "older.dump"
    with closing(PostgresStore(postgres_url, Cipher(None))) as store:
        enrol(store, "Ada")
        dump(postgres_url, tmp_path)[0].rename(older)
    PostgresStore(postgres_url, Cipher(KEY)).close()
    kept = dump(postgres_url, tmp_path)[1]
    database = f"restored_{uuid.uuid4().hex}"
    done = run("restore.sh", postgres_url, database, older, kept)
    assert (done.returncode, done.stderr) == (0, "")
    url = postgres_server.url_of(database)
    before = content_without_ids(url, tmp_path)
    for key in (KEY, None):
        with pytest.raises(StartError, match="its people are not encrypted: restore a dump of the people that was"):
            PostgresStore(url, Cipher(key))
    assert content_without_ids(url, tmp_path) == before
