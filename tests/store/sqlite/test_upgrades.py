"""The upgrade of stores of older versions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.model import Person
from gateway.model.caller import REST_CALLER
from gateway.store.sqlite import schema
from tests.examples import descriptor
from tests.people.environment import files_with
from tests.store.examples import CHIPS, RECIPE, enrol, people, picture, slug_of, stored_face
from tests.store.sqlite.old_stores import opened, version_of, write_old_store
from tests.store.sqlite.test_files import check_refused


def backups_of(path: Path) -> list[Path]:
    return list((path.parent / "backups").glob("*"))


def test_upgrade_keeps_people_and_pictures(old_store: Path) -> None:
    kept = None if version_of(old_store) == 1 else CHIPS
    with opened(old_store) as store:
        found = {digest: stored_face(store, digest) for digest in ("d1", "d2", "d3")}
        assert all((found[f"d{n}"].descriptor == descriptor(n)).all() for n in (1, 2, 3))
        assert [face.chips for face in found.values()] == [kept] * 3
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob")]
        assert store.folder_index.read_folder_digests(RECIPE) == {
            "known_faces/Alice/1.jpg": "d1",
            "known_faces/Alice/2.jpg": "d2",
            "known_faces/Bob/1.jpg": "d3",
        }
        assert [each.added for each in store.people.read_entry("alice").pictures] == [1.5, 1.6]
    assert version_of(old_store) == schema.VERSION == 11


def test_upgrade_keeps_two_spellings_of_one_name_as_two_people(old_store: Path) -> None:
    with closing(sqlite3.connect(old_store)) as database, database:
        database.execute("UPDATE people SET name = 'ALICE', slug = 'alice_2' WHERE slug = 'bob'")
    with opened(old_store) as store:
        assert people(store) == [Person("alice", "Alice"), Person("alice_2", "ALICE")]
        assert (slug_of(store, "ALICE"), slug_of(store, "Alice"), slug_of(store, "alice")) == (
            "alice_2",
            "alice",
            "alice",
        )


def test_upgrade_makes_a_backup_first(old_store: Path) -> None:
    version = version_of(old_store)
    with opened(old_store):
        (backup,) = backups_of(old_store)
    assert backup.name.startswith(f"before-version-{schema.VERSION}-")
    assert (version_of(backup), backup.stat().st_mode & 0o777) == (version, 0o600)
    with closing(sqlite3.connect(backup)) as database:
        rows = database.execute("SELECT person, digest, source, descriptor FROM pictures ORDER BY digest").fetchall()
    assert len(rows) == (4 if version == 1 else 3)
    assert (1, "d1", "Alice/1.jpg", descriptor(1).tobytes()) in rows
    with opened(old_store):
        assert backups_of(old_store) == [backup]


def test_new_store_has_no_backup(path: Path) -> None:
    with opened(path), opened(path):
        assert backups_of(path) == []


def test_upgrade_keeps_the_folders_of_people(old_store: Path) -> None:
    with opened(old_store) as store:
        store.people.rename("alice", "Alice Smith", REST_CALLER)
        store.folder_index.enrol_from_folder("Alice", picture("d4", source="known_faces/Alice/4.jpg"))
        assert people(store) == [Person("alice", "Alice Smith"), Person("bob", "Bob")]


def test_upgrade_reports_all_people_as_changes(old_store: Path) -> None:
    with opened(old_store) as store:
        assert store.faces.revision() > 0
        assert len(store.faces.changes(0, RECIPE).snapshot.people) == 2


def test_upgraded_people_are_unchanged_since_their_newest_picture(old_store: Path) -> None:
    """Otherwise people.keep_days would erase people with a new picture."""
    with opened(old_store) as store:
        assert sorted(store.people.list_unchanged_since(2.2)) == ["alice"]


def test_upgrade_of_version_1_keeps_the_newer_descriptor_of_a_picture(path: Path) -> None:
    with opened(write_old_store(path, 1)) as store:
        assert people(store, "long before") == []
        assert store.faces.find_face("d3", "long before") is None


def test_pictures_of_version_1_have_no_chips_and_are_not_outdated(path: Path) -> None:
    with opened(write_old_store(path, 1)) as store:
        assert store.faces.list_outdated_pictures("new") == []


def test_pictures_of_version_2_have_chips_and_are_outdated(path: Path) -> None:
    with opened(write_old_store(path, 2)) as store:
        assert sorted(store.faces.list_outdated_pictures("new")) == ["d1", "d2", "d3"]


def test_upgrade_is_done_once(old_store: Path) -> None:
    with opened(old_store) as store:
        enrol(store, "Alice", picture("d1", descriptor(4), recipe="new"))
        enrol(store, "Carol", picture("d5"))
    with opened(old_store) as store:
        assert people(store) == [Person("alice", "Alice"), Person("bob", "Bob"), Person("carol", "Carol")]
        assert people(store, "new") == [Person("alice", "Alice")]
        assert stored_face(store, "d1", "new").chips == CHIPS
        store.people.remove("alice", REST_CALLER)
        store.people.remove("carol", REST_CALLER)
        assert people(store) == [Person("bob", "Bob")]


def test_upgraded_store_has_the_tables_of_a_new_one(old_store: Path, tmp_path: Path) -> None:
    """Later upgrades start from the same tables, whatever the first version was."""

    def tables(path: Path) -> set[tuple[object, ...]]:
        with opened(path), closing(sqlite3.connect(path)) as database:
            names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            columns = {(name, *row) for name in names for row in database.execute(f"PRAGMA table_info({name})")}
            keys = {(name, *row) for name in names for row in database.execute(f"PRAGMA foreign_key_list({name})")}
            rest = database.execute("SELECT tbl_name, name, sql FROM sqlite_master WHERE type != 'table'")
            return columns | keys | set(rest)

    assert tables(old_store) == tables(tmp_path / "new.sqlite")


def test_pictures_of_an_upgraded_store_are_erased_with_their_person(old_store: Path) -> None:
    with opened(old_store) as store:
        store.people.remove("alice", REST_CALLER, erase=True)
    assert files_with(old_store.parent, descriptor(1).tobytes()) == {backup.name for backup in backups_of(old_store)}


def test_damaged_old_store_is_refused(old_store: Path) -> None:
    with closing(sqlite3.connect(old_store)) as database, database:
        database.execute("UPDATE pictures SET descriptor = ? WHERE digest = 'd2'", (bytes(512),))
    check_refused(old_store)


def test_failed_upgrade_leaves_the_old_store_unchanged(old_store: Path) -> None:
    """A table is in the way; without it the next start makes the upgrade."""
    version = version_of(old_store)
    with closing(sqlite3.connect(old_store)) as database, database:
        database.execute("CREATE TABLE folders (x)")
        (count,) = database.execute("SELECT count(*) FROM pictures").fetchone()
    check_refused(old_store)
    assert version_of(old_store) == version
    with closing(sqlite3.connect(old_store)) as database, database:
        assert database.execute("SELECT count(*) FROM pictures").fetchone() == (count,)
        database.execute("DROP TABLE folders")
    with opened(old_store) as store:
        assert len(people(store)) == 2


def test_old_store_without_a_possible_backup_is_refused_unchanged(old_store: Path) -> None:
    version = version_of(old_store)
    (old_store.parent / "backups").write_text("no folder")
    check_refused(old_store)
    assert version_of(old_store) == version
