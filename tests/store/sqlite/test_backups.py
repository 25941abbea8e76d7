"""Backups of a store in SQLite, and their restore."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.model.caller import REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.restore import restore as restore_backup
from tests.examples import descriptor
from tests.people.environment import (
    KEY,
    OTHER_KEY,
    PeopleEnvironment,
    chips_of,
    files_with,
    open_environment,
    picture_id,
    sample,
)
from tests.store.sqlite.old_stores import write_old_store

ALICE, BOB = descriptor(1), descriptor(2)
PLAIN = Cipher(None)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """An environment in which Alice and Bob are enrolled."""
    with open_environment(tmp_path / "data") as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        env.registry.enrol("Bob", [sample("bob1", BOB)], REST_CALLER)
        yield env


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return data


def restore(backup: Path, path: Path, cipher: Cipher) -> Path | None:
    return restore_backup(backup, path, cipher, AuditFile(path.parent / AUDIT_FILE))


def close(env: PeopleEnvironment) -> Path:
    """Close the store, and return its file."""
    env.store.close()
    return env.store.database.path


def found_people(path: Path, key: bytes | None = None) -> dict[str, bool]:
    """Return the slugs of the people in a store, each with whether a search finds the person."""
    faces = {"alice": ALICE, "bob": BOB}
    with open_environment(path.parent, key) as there:
        return {
            slug: there.who(faces[slug]) == slug
            for slug in [entry.person.slug for entry in there.store.people.list_entries()]
        }


def list_backups(env: PeopleEnvironment) -> list[Path]:
    """Return the backups in the data folder, the oldest first."""
    return sorted((env.data / "backups").glob("*.sqlite"), key=lambda path: path.stat().st_mtime_ns)


def test_backup_is_a_complete_store(tmp_path: Path, env: PeopleEnvironment) -> None:
    backup = env.store.backups.make()
    assert backup.parent == env.data / "backups"
    assert (backup.stat().st_mode & 0o777, backup.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list_backups(env) == [backup]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(backup, elsewhere / "people.sqlite")
    assert found_people(elsewhere / "people.sqlite") == {"alice": True, "bob": True}
    with open_environment(elsewhere) as there:
        assert there.store.audit.read_lines(9) == []


def test_backup_is_written_to_the_given_path(tmp_path: Path, env: PeopleEnvironment) -> None:
    assert env.store.backups.make(tmp_path / "mine.sqlite") == tmp_path / "mine.sqlite"
    assert files_with(tmp_path, ALICE.tobytes()) >= {"mine.sqlite"}
    assert list_backups(env) == []


def test_two_backups_within_a_second_get_different_names(env: PeopleEnvironment) -> None:
    first = env.store.backups.make()
    env.registry.remove("alice", REST_CALLER)
    assert first != env.store.backups.make()
    assert len(list_backups(env)) == 2


def test_backup_contains_no_unknown_groups(env: PeopleEnvironment) -> None:
    with env.store.database.transaction() as db:
        db.execute("INSERT INTO unknowns VALUES (1, 0, 0, 1, '[]', 0)")
        db.execute(
            "INSERT INTO unknown_faces (unknown, recipe, descriptor, chips, worth) VALUES (1, 'r', ?, ?, 1)",
            (descriptor(9).tobytes(), b"an unknown face"),
        )
    backup = env.store.backups.make()
    assert backup.name not in files_with(env.data, descriptor(9).tobytes(), b"an unknown face")
    assert backup.name in files_with(env.data, ALICE.tobytes())


def test_restore_brings_removed_people_back(env: PeopleEnvironment) -> None:
    backup = env.store.backups.make(env.data / "backups" / "mine.sqlite")
    env.registry.remove("alice", REST_CALLER)
    path = close(env)
    before = restore(backup, path, PLAIN)
    assert found_people(path) == {"alice": True, "bob": True}
    assert backup.exists()
    assert before is not None
    assert before.parent == env.data / "backups"
    restore(before, path, PLAIN)
    assert found_people(path) == {"bob": True}


def test_restore_leaves_no_other_file_beside_the_store(env: PeopleEnvironment) -> None:
    backup = env.store.backups.make()
    path = close(env)
    restore(backup, path, PLAIN)
    assert {each.name for each in env.data.iterdir()} == {"people.sqlite", "audit.sqlite", "audit.key", "backups"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_restore_works_without_a_store(env: PeopleEnvironment) -> None:
    backup = env.store.backups.make()
    path = close(env)
    path.unlink()
    assert restore(backup, path, PLAIN) is None
    assert found_people(path) == {"alice": True, "bob": True}


def test_restore_never_brings_erased_people_back(tmp_path: Path, env: PeopleEnvironment) -> None:
    """The backup was outside the data folder during the erasure."""
    backup = env.store.backups.make(tmp_path / "elsewhere.sqlite")
    env.registry.erase("alice", REST_CALLER)
    path = close(env)
    restore(backup, path, PLAIN)
    assert found_people(path) == {"bob": True}
    assert files_with(env.data, ALICE.tobytes(), b"Alice", chips_of("alice1")) == set()


def test_restore_brings_no_earlier_picture_of_an_erased_person_back(tmp_path: Path, env: PeopleEnvironment) -> None:
    env.registry.enrol(None, [sample("alice2", ALICE)], REST_CALLER, person="alice")
    backup = env.store.backups.make(tmp_path / "elsewhere.sqlite")
    env.registry.remove_picture("alice", picture_id("alice1"), REST_CALLER)
    env.registry.erase("alice", REST_CALLER)
    path = close(env)
    restore(backup, path, PLAIN)
    assert found_people(path) == {"bob": True}


def test_restore_of_an_old_version_does_not_bring_erased_people_back(tmp_path: Path) -> None:
    write_old_store(tmp_path / "data" / "people.sqlite", 2)
    with open_environment(tmp_path / "data") as env:
        (automatic,) = list_backups(env)
        backup = Path(shutil.copy(automatic, tmp_path / "elsewhere.sqlite"))
        env.registry.erase("alice", REST_CALLER)
    path = tmp_path / "data" / "people.sqlite"
    restore(backup, path, PLAIN)
    with open_environment(path.parent) as again:
        assert [entry.person.slug for entry in again.store.people.list_entries()] == ["bob"]


def test_erased_people_stay_erased_after_two_restores(tmp_path: Path, env: PeopleEnvironment) -> None:
    backup = env.store.backups.make(tmp_path / "elsewhere.sqlite")
    env.registry.erase("alice", REST_CALLER)
    path = close(env)
    for _ in range(2):
        restore(backup, path, PLAIN)
        assert found_people(path) == {"bob": True}


def test_backup_of_an_old_version_is_restored(tmp_path: Path, env: PeopleEnvironment) -> None:
    backup = write_old_store(tmp_path / "old.sqlite", 1)
    content = backup.read_bytes()
    path = close(env)
    restore(backup, path, PLAIN)
    assert set(found_people(path)) == {"alice", "bob"}
    assert backup.read_bytes() == content


def test_encrypted_backup_is_restored_with_its_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_environment(data, KEY) as env:
        env.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        backup = env.store.backups.make(tmp_path / "sealed.sqlite")
        env.registry.remove("alice", REST_CALLER)
    for key in (None, OTHER_KEY):
        with pytest.raises(StartError, match=r"sealed\.sqlite was not restored"):
            restore(backup, data / "people.sqlite", Cipher(key))
    assert found_people(data / "people.sqlite", KEY) == {}
    restore(backup, data / "people.sqlite", Cipher(KEY))
    assert found_people(data / "people.sqlite", KEY) == {"alice": True}


def test_plain_backup_is_encrypted_when_it_is_restored_with_a_key(env: PeopleEnvironment) -> None:
    backup = env.store.backups.make(env.data / "backups" / "mine.sqlite")
    path = close(env)
    path.unlink()
    restore(backup, path, Cipher(KEY))
    assert files_with(env.data, ALICE.tobytes(), chips_of("alice1")) == {"mine.sqlite"}
    assert found_people(path, KEY) == {"alice": True, "bob": True}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: b"no database" * 1000, id="text"),
        pytest.param(lambda content: content[: len(content) // 2], id="half"),
        pytest.param(lambda content: content[:4096] + bytes(range(256)) * 32 + content[12288:], id="pages"),
        pytest.param(None, id="missing"),
    ],
)
def test_damaged_or_missing_backup_is_refused_by_name_and_nothing_changes(
    env: PeopleEnvironment, damage: object
) -> None:
    backup = env.store.backups.make(env.data / "backups" / "mine.sqlite")
    env.registry.remove("bob", REST_CALLER)
    path = close(env)
    if callable(damage):
        backup.write_bytes(damage(backup.read_bytes()))
    else:
        backup.unlink()
    content = path.read_bytes()
    with pytest.raises(StartError, match=r"The backup .*mine\.sqlite was not restored: ."):
        restore(backup, path, PLAIN)
    assert path.read_bytes() == content
    assert {each.name for each in env.data.iterdir()} == {"people.sqlite", "audit.sqlite", "audit.key", "backups"}
    assert found_people(path) == {"alice": True}


def test_backup_of_a_newer_version_is_refused(env: PeopleEnvironment) -> None:
    backup = env.store.backups.make(env.data / "backups" / "mine.sqlite")
    with closing(sqlite3.connect(backup)) as db:
        db.execute("PRAGMA user_version = 99")
    path = close(env)
    with pytest.raises(StartError, match="newer Facegate"):
        restore(backup, path, PLAIN)
    assert found_people(path) == {"alice": True, "bob": True}


def test_database_of_another_program_is_refused_as_backup(tmp_path: Path, env: PeopleEnvironment) -> None:
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as db:
        db.execute("CREATE TABLE people (x)")
    path = close(env)
    with pytest.raises(StartError, match=r"other\.sqlite was not restored"):
        restore(tmp_path / "other.sqlite", path, PLAIN)
    assert found_people(path) == {"alice": True, "bob": True}


def damage_store(env: PeopleEnvironment) -> Path:
    path = close(env)
    path.write_bytes(b"damaged: " + path.read_bytes())
    return path


def test_restore_renames_a_damaged_store(env: PeopleEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    backup = env.store.backups.make()
    path = damage_store(env)
    content = path.read_bytes()
    aside = restore(backup, path, PLAIN)
    assert aside is not None
    assert aside.name.startswith("people.sqlite.damaged-")
    assert aside.read_bytes() == content
    assert "people erased since the backup may be back" in caplog.text
    assert found_people(path) == {"alice": True, "bob": True}


def test_erasure_deletes_the_damaged_store_of_a_restore(env: PeopleEnvironment) -> None:
    backup = env.store.backups.make()
    restore(backup, damage_store(env), PLAIN)
    with open_environment(env.data) as again:
        again.registry.erase("alice", REST_CALLER)
    assert files_with(env.data, ALICE.tobytes(), b"Alice", chips_of("alice1")) == set()
