"""The store in PostgreSQL as a whole: its keys, its audit and its backups."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from gateway.errors import StartError, Unsupported
from gateway.model import Person
from gateway.model.caller import REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.postgres.store import PostgresStore
from gateway.store.records import ExportedPerson, StoredFace
from gateway.store.relational.archive import MANY_PEOPLE
from tests.examples import descriptor
from tests.people.environment import KEY, OTHER_KEY
from tests.store.conftest import OpenStore
from tests.store.examples import CHIPS, RECIPE, enrol, people, picture, stored_face


def rows(url: str, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, options="-c search_path=facegate") as db:
        return db.execute(sql.encode()).fetchall()


def dump(url: str) -> bytes:
    """Return the content of all columns that can contain a face, as everybody with access to the database sees it."""
    found = rows(
        url,
        "SELECT descriptor, chips, original FROM pictures UNION ALL SELECT descriptor, chips, crop FROM unknown_faces"
        " UNION ALL SELECT descriptor, chips, crop FROM sighting_faces",
    )
    return b"|".join(bytes(value) for row in found for value in row if isinstance(value, bytes | memoryview))


def test_first_key_encrypts_the_people_and_forgets_faces_without_a_name(
    open_postgres: OpenStore, empty_postgres_url: str
) -> None:
    with open_postgres() as store:
        enrol(store, "Ada")
        store.unknown_groups(RECIPE).add_group("door", 100.0, 0.5, StoredFace(descriptor(2), CHIPS))
    assert CHIPS in dump(empty_postgres_url)
    with open_postgres(KEY) as store:
        assert stored_face(store).chips == CHIPS
        assert store.unknown_groups(RECIPE).load() == []
    found = dump(empty_postgres_url)
    assert found
    assert CHIPS not in found
    assert descriptor(1).tobytes() not in found


def test_command_does_not_encrypt_the_store(open_postgres: OpenStore, empty_postgres_url: str) -> None:
    with open_postgres() as store:
        enrol(store, "Ada")
    with pytest.raises(StartError, match=r"not encrypted yet.*start the gateway once"):
        PostgresStore(empty_postgres_url, Cipher(KEY), may_encrypt=False)
    with open_postgres() as store:
        assert people(store)


@pytest.mark.parametrize(("key", "reason"), [(None, "no key is set"), (OTHER_KEY, "encrypted with another key")])
def test_encrypted_store_needs_its_key(
    open_postgres: OpenStore, empty_postgres_url: str, key: bytes | None, reason: str
) -> None:
    with open_postgres(KEY) as store:
        enrol(store, "Ada")
    with pytest.raises(StartError, match=rf"{reason}.*Leave the database as it is: nothing in it is damaged"):
        PostgresStore(empty_postgres_url, Cipher(key))


def test_data_key_of_an_erased_person_is_destroyed_for_good(open_postgres: OpenStore, empty_postgres_url: str) -> None:
    with open_postgres(KEY) as store, open_postgres(KEY) as other:
        enrol(store, "Ada", picture("d1"))
        enrol(store, "Bob", picture("d2"))
        assert stored_face(other, "d1").chips == CHIPS
        ((uid,),) = rows(empty_postgres_url, "SELECT uid FROM people WHERE slug = 'ada'")
        assert rows(empty_postgres_url, f"SELECT key IS NULL FROM data_keys WHERE owner = '{uid}'") == [(False,)]  # noqa: S608
        store.people.remove("ada", REST_CALLER, erase=True)
        store.keys.destroy_erased()
        assert store.backups.warnings == ()
        assert rows(empty_postgres_url, f"SELECT key FROM data_keys WHERE owner = '{uid}'") == [(None,)]  # noqa: S608
        assert rows(empty_postgres_url, "SELECT uid FROM erased_people") == []
        assert stored_face(other, "d2").chips == CHIPS


def test_erased_person_who_comes_back_with_an_older_table_is_removed(
    open_postgres: OpenStore, empty_postgres_url: str
) -> None:
    with open_postgres(KEY) as store:
        enrol(store, "Ada", picture("d1"))
        enrol(store, "Bob", picture("d2"))
        tables = {name: rows(empty_postgres_url, f"SELECT * FROM {name}") for name in ("people", "pictures")}  # noqa: S608
        store.people.remove("ada", REST_CALLER, erase=True)
        store.keys.destroy_erased()
    with psycopg.connect(empty_postgres_url, options="-c search_path=facegate") as db:
        for name, content in tables.items():
            marks = ", ".join(["%s"] * len(content[0]))
            for row in content:
                db.execute(f"INSERT INTO {name} VALUES ({marks}) ON CONFLICT DO NOTHING".encode(), row)  # noqa: S608
    assert len(rows(empty_postgres_url, "SELECT 1 FROM people")) == 2
    with open_postgres(KEY) as store:
        assert [person.name for person in people(store)] == ["Bob"]


def test_master_key_is_replaced(open_postgres: OpenStore, empty_postgres_url: str) -> None:
    with open_postgres(KEY) as store:
        enrol(store, "Ada")
        store.keys.rotate(Cipher(OTHER_KEY))
        assert stored_face(store).chips == CHIPS
        enrol(store, "Bob", picture("d2"))
    with open_postgres(OTHER_KEY) as store:
        assert stored_face(store, "d1").chips == CHIPS
        assert stored_face(store, "d2").chips == CHIPS
        assert store.audit.check().problems == ()
    with pytest.raises(StartError, match="encrypted with another key"):
        PostgresStore(empty_postgres_url, Cipher(KEY))


def test_changed_line_of_the_audit_is_found(open_postgres: OpenStore, empty_postgres_url: str) -> None:
    with open_postgres(KEY) as store:
        for name in ("Ada", "Bob", "Cleo"):
            enrol(store, name)
        store.audit.flush()
        with psycopg.connect(empty_postgres_url, options="-c search_path=facegate") as db:
            # An administrator of the database can switch the trigger off, which protects against mistakes only.
            db.execute("ALTER TABLE audit DISABLE TRIGGER audit_stays")
            db.execute("UPDATE audit SET door = 'nobody' WHERE id = 2")
        (problem,) = store.audit.check().problems
        assert "line 2 of the audit" in problem


def test_backups_are_made_by_other_programs(tmp_path: Path, empty_postgres_url: str) -> None:
    old = tmp_path / "people.sqlite"
    old.touch()
    with closing(PostgresStore(empty_postgres_url, Cipher(None), older_files=[old, tmp_path / "none"])) as store:
        with pytest.raises(Unsupported, match="pg_dump makes their backups"):
            store.backups.make()
        assert not store.backups.read_state().changed
        (warning,) = store.backups.skipped_warnings()
        assert str(old) in warning


def test_damaged_id_of_a_person_is_refused(open_postgres: OpenStore, empty_postgres_url: str) -> None:
    with open_postgres() as store:
        enrol(store, "Ada")
    with psycopg.connect(empty_postgres_url, options="-c search_path=facegate") as db:
        db.execute("UPDATE people SET slug = 'no id!'")
    with pytest.raises(StartError, match=r"the id of a person in it is damaged.*restore a dump"):
        PostgresStore(empty_postgres_url, Cipher(None))


def test_large_import_tells_the_database_about_its_size(open_postgres: OpenStore, empty_postgres_url: str) -> None:
    """Without that, PostgreSQL reads all pictures for each change that another replica follows."""
    many = [ExportedPerson(Person("", f"Name {n}"), [picture(f"p{n}")], [1.0]) for n in range(MANY_PEOPLE)]
    with open_postgres() as store:
        store.archive.import_people(many, REST_CALLER)
    counted = rows(
        empty_postgres_url,
        "SELECT reltuples FROM pg_class WHERE oid IN ('people'::regclass, 'pictures'::regclass)",
    )
    assert counted == [(MANY_PEOPLE,)] * 2
