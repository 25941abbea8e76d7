"""The dumps of docs/how-to/run-several-gateways.md: people in one, and in another what must not become older."""

from __future__ import annotations

import subprocess
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from device_sim.postgres_server import PostgresServer, find_programs
from gateway.model.caller import CLI_CALLER, REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.postgres.store import PostgresStore
from gateway.store.tokens import Token
from tests.people.environment import KEY, OTHER_KEY
from tests.store.examples import enrol, people, picture
from tests.support import ROOT

KEPT = "facegate.(data_keys|key_check|tombstones|tokens|audit|audit_key|checkpoint)"
"""The tables that the page dumps apart."""


def test_page_names_these_tables() -> None:
    page = (ROOT / "docs" / "how-to" / "run-several-gateways.md").read_text()
    for option in ("--exclude-table-data", "--data-only --table"):
        assert f"{option}='{KEPT}' facegate" in page.replace("\\\n  ", "")


def test_page_keeps_others_from_the_dumps_and_from_the_restored_database(
    postgres_server: PostgresServer,
) -> None:
    page = (ROOT / "docs" / "how-to" / "run-several-gateways.md").read_text()
    assert "umask 077\nsudo -u postgres pg_dump" in page
    revoke = "REVOKE ALL ON DATABASE facegate_restored FROM PUBLIC"
    assert f"psql --command '{revoke}'" in page
    name = postgres_server.create_database().rpartition("/")[2]
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name}_other LOGIN PASSWORD 'other'")
        others = f"{postgres_server.url_of(name)}?user={name}_other&password=other"
        psycopg.connect(others).close()
        connection.execute(revoke.replace("facegate_restored", name))
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(others)
        connection.execute(f"DROP ROLE {name}_other")


def run(program: str, *arguments: str) -> None:
    subprocess.run([find_programs() / program, *arguments], check=True)


def test_erased_person_stays_erased_when_older_people_are_restored(
    postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    older, kept = tmp_path / "people.dump", tmp_path / "kept.dump"
    with closing(PostgresStore(postgres_url, Cipher(KEY))) as store:
        enrol(store, "Ada")
        enrol(store, "Bob", picture("d2"))
        store.tokens.add(Token("phone", "admin", 1.0), b"1" * 32)
        store.audit.flush()
        run("pg_dump", "--format=custom", f"--exclude-table-data={KEPT}", "--file", str(older), postgres_url)
        store.people.remove("ada", REST_CALLER, erase=True)
        store.keys.destroy_erased()
        store.tokens.remove("phone")
        store.audit.record(CLI_CALLER, "rotate_key")
        store.audit.flush()
        store.keys.rotate(Cipher(OTHER_KEY))
        head = store.audit.read_head()
        run("pg_dump", "--format=custom", "--data-only", f"--table={KEPT}", "--file", str(kept), postgres_url)
    restored = postgres_server.create_database()
    for each in (older, kept):
        run("pg_restore", "--exit-on-error", "--dbname", restored, str(each))
    with closing(PostgresStore(restored, Cipher(OTHER_KEY))) as store:
        assert [each.slug for each in people(store)] == ["bob"]
        assert store.tokens.list_tokens() == []
        assert store.audit.read_head() == head
        assert store.audit.check().problems == ()
