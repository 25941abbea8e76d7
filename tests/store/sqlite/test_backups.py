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
from gateway.store.sqlite.restore import restore as put_back
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
from tests.store.sqlite.test_people import written_before

ALICE, BOB = descriptor(1), descriptor(2)
PLAIN = Cipher(None)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """Alice and Bob are known."""
    with open_environment(tmp_path / "data") as here:
        here.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        here.registry.enrol("Bob", [sample("bob1", BOB)], REST_CALLER)
        yield here


@pytest.fixture(autouse=True)
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return data


def restore(backup: Path, path: Path, cipher: Cipher) -> Path | None:
    return put_back(backup, path, cipher, AuditFile(path.parent / AUDIT_FILE), "root")


def closed(here: PeopleEnvironment) -> Path:
    """The store's file, once nobody uses it."""
    here.store.close()
    return here.store.database.path


def known(path: Path, key: bytes | None = None) -> dict[str, bool]:
    """Who is in a store, and whether a search finds them."""
    faces = {"alice": ALICE, "bob": BOB}
    with open_environment(path.parent, key) as there:
        return {
            slug: there.who(faces[slug]) == slug
            for slug in [entry.person.slug for entry in there.store.people.list_entries()]
        }


def made(here: PeopleEnvironment) -> list[Path]:
    """Backups in the data folder, the oldest first."""
    return sorted((here.data / "backups").glob("*.sqlite"), key=lambda path: path.stat().st_mtime_ns)


def test_a_backup_is_whole(tmp_path: Path, here: PeopleEnvironment) -> None:
    backup = here.store.backups.make()
    assert backup.parent == here.data / "backups"
    assert (backup.stat().st_mode & 0o777, backup.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert made(here) == [backup]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(backup, elsewhere / "people.sqlite")
    assert known(elsewhere / "people.sqlite") == {"alice": True, "bob": True}
    with open_environment(elsewhere) as there:
        assert there.store.audit.read_lines(9) == []


def test_a_backup_goes_where_it_is_told_to(tmp_path: Path, here: PeopleEnvironment) -> None:
    assert here.store.backups.make(tmp_path / "mine.sqlite") == tmp_path / "mine.sqlite"
    assert files_with(tmp_path, ALICE.tobytes()) >= {"mine.sqlite"}
    assert made(here) == []


def test_two_backups_within_a_second_are_two(here: PeopleEnvironment) -> None:
    first = here.store.backups.make()
    here.registry.remove("alice", REST_CALLER)
    assert first != here.store.backups.make()
    assert len(made(here)) == 2


def test_a_backup_is_without_unknowns(here: PeopleEnvironment) -> None:
    with here.store.database.transaction() as db:
        db.execute("INSERT INTO unknowns VALUES (1, 0, 0, 1, '[]')")
        db.execute(
            "INSERT INTO unknown_faces (unknown, recipe, descriptor, chips, worth) VALUES (1, 'r', ?, ?, 1)",
            (descriptor(9).tobytes(), b"an unknown face"),
        )
    backup = here.store.backups.make()
    assert backup.name not in files_with(here.data, descriptor(9).tobytes(), b"an unknown face")
    assert backup.name in files_with(here.data, ALICE.tobytes())


def test_restoring_brings_back_who_was_removed(here: PeopleEnvironment) -> None:
    backup = here.store.backups.make(here.data / "backups" / "mine.sqlite")
    here.registry.remove("alice", REST_CALLER)
    path = closed(here)
    before = restore(backup, path, PLAIN)
    assert known(path) == {"alice": True, "bob": True}
    assert backup.exists()
    assert before is not None
    assert before.parent == here.data / "backups"
    restore(before, path, PLAIN)
    assert known(path) == {"bob": True}


def test_restoring_leaves_nothing_beside_the_store(here: PeopleEnvironment) -> None:
    backup = here.store.backups.make()
    path = closed(here)
    restore(backup, path, PLAIN)
    assert {each.name for each in here.data.iterdir()} == {"people.sqlite", "audit.sqlite", "backups"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_restoring_where_there_is_no_store_needs_none(here: PeopleEnvironment) -> None:
    backup = here.store.backups.make()
    path = closed(here)
    path.unlink()
    assert restore(backup, path, PLAIN) is None
    assert known(path) == {"alice": True, "bob": True}


def test_restoring_never_brings_back_who_was_erased(tmp_path: Path, here: PeopleEnvironment) -> None:
    """Also from a backup that lay elsewhere."""
    backup = here.store.backups.make(tmp_path / "elsewhere.sqlite")
    here.registry.erase("alice", REST_CALLER)
    path = closed(here)
    restore(backup, path, PLAIN)
    assert known(path) == {"bob": True}
    assert files_with(here.data, ALICE.tobytes(), b"Alice", chips_of("alice1")) == set()


def test_restoring_brings_back_no_earlier_picture_of_who_was_erased(tmp_path: Path, here: PeopleEnvironment) -> None:
    here.registry.enrol(None, [sample("alice2", ALICE)], REST_CALLER, person="alice")
    backup = here.store.backups.make(tmp_path / "elsewhere.sqlite")
    here.registry.remove_picture("alice", picture_id("alice1"), REST_CALLER)
    here.registry.erase("alice", REST_CALLER)
    path = closed(here)
    restore(backup, path, PLAIN)
    assert known(path) == {"bob": True}


def test_restoring_a_backup_of_an_older_version_does_not_bring_back_who_was_erased(tmp_path: Path) -> None:
    written_before(tmp_path / "data" / "people.sqlite", 2)
    with open_environment(tmp_path / "data") as here:
        (automatic,) = made(here)
        backup = Path(shutil.copy(automatic, tmp_path / "elsewhere.sqlite"))
        here.registry.erase("alice", REST_CALLER)
    path = tmp_path / "data" / "people.sqlite"
    restore(backup, path, PLAIN)
    with open_environment(path.parent) as again:
        assert [entry.person.slug for entry in again.store.people.list_entries()] == ["bob"]


def test_who_was_erased_and_restored_over_stays_erased_the_next_time(tmp_path: Path, here: PeopleEnvironment) -> None:
    backup = here.store.backups.make(tmp_path / "elsewhere.sqlite")
    here.registry.erase("alice", REST_CALLER)
    path = closed(here)
    for _ in range(2):
        restore(backup, path, PLAIN)
        assert known(path) == {"bob": True}


def test_a_backup_of_an_older_version_is_restored(tmp_path: Path, here: PeopleEnvironment) -> None:
    backup = written_before(tmp_path / "old.sqlite", 1)
    content = backup.read_bytes()
    path = closed(here)
    restore(backup, path, PLAIN)
    assert set(known(path)) == {"alice", "bob"}
    assert backup.read_bytes() == content


def test_a_sealed_backup_is_restored_with_its_key(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_environment(data, KEY) as here:
        here.registry.enrol("Alice", [sample("alice1", ALICE)], REST_CALLER)
        backup = here.store.backups.make(tmp_path / "sealed.sqlite")
        here.registry.remove("alice", REST_CALLER)
    for key in (None, OTHER_KEY):
        with pytest.raises(StartError, match=r"sealed\.sqlite was not restored"):
            restore(backup, data / "people.sqlite", Cipher(key))
    assert known(data / "people.sqlite", KEY) == {}
    restore(backup, data / "people.sqlite", Cipher(KEY))
    assert known(data / "people.sqlite", KEY) == {"alice": True}


def test_a_plain_backup_is_sealed_when_it_is_restored_with_a_key(here: PeopleEnvironment) -> None:
    backup = here.store.backups.make(here.data / "backups" / "mine.sqlite")
    path = closed(here)
    path.unlink()
    restore(backup, path, Cipher(KEY))
    assert files_with(here.data, ALICE.tobytes(), chips_of("alice1")) == {"mine.sqlite"}
    assert known(path, KEY) == {"alice": True, "bob": True}


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
def test_a_damaged_or_missing_backup_is_refused_by_name_and_nothing_changes(
    here: PeopleEnvironment, damage: object
) -> None:
    backup = here.store.backups.make(here.data / "backups" / "mine.sqlite")
    here.registry.remove("bob", REST_CALLER)
    path = closed(here)
    if callable(damage):
        backup.write_bytes(damage(backup.read_bytes()))
    else:
        backup.unlink()
    content = path.read_bytes()
    with pytest.raises(StartError, match=r"The backup .*mine\.sqlite was not restored: ."):
        restore(backup, path, PLAIN)
    assert path.read_bytes() == content
    assert {each.name for each in here.data.iterdir()} == {"people.sqlite", "audit.sqlite", "backups"}
    assert known(path) == {"alice": True}


def test_a_backup_of_a_newer_version_is_refused(here: PeopleEnvironment) -> None:
    backup = here.store.backups.make(here.data / "backups" / "mine.sqlite")
    with closing(sqlite3.connect(backup)) as db:
        db.execute("PRAGMA user_version = 99")
    path = closed(here)
    with pytest.raises(StartError, match="newer version"):
        restore(backup, path, PLAIN)
    assert known(path) == {"alice": True, "bob": True}


def test_another_program_s_database_is_no_backup(tmp_path: Path, here: PeopleEnvironment) -> None:
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as db:
        db.execute("CREATE TABLE people (x)")
    path = closed(here)
    with pytest.raises(StartError, match=r"other\.sqlite was not restored"):
        restore(tmp_path / "other.sqlite", path, PLAIN)
    assert known(path) == {"alice": True, "bob": True}


def damaged(here: PeopleEnvironment) -> Path:
    path = closed(here)
    path.write_bytes(b"damaged: " + path.read_bytes())
    return path


def test_a_damaged_store_is_set_aside(here: PeopleEnvironment, caplog: pytest.LogCaptureFixture) -> None:
    backup = here.store.backups.make()
    path = damaged(here)
    content = path.read_bytes()
    aside = restore(backup, path, PLAIN)
    assert aside is not None
    assert aside.name.startswith("people.sqlite.damaged-")
    assert aside.read_bytes() == content
    assert "people erased since the backup may be back" in caplog.text
    assert known(path) == {"alice": True, "bob": True}


def test_of_somebody_erased_nothing_is_left_in_a_damaged_store_that_was_set_aside(here: PeopleEnvironment) -> None:
    backup = here.store.backups.make()
    restore(backup, damaged(here), PLAIN)
    with open_environment(here.data) as again:
        again.registry.erase("alice", REST_CALLER)
    assert files_with(here.data, ALICE.tobytes(), b"Alice", chips_of("alice1")) == set()
