"""Erasures in the folder of backups."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.model.caller import REST_CALLER
from gateway.store.sqlite.audit_file import AUDIT_FILE
from gateway.store.sqlite.backup_files import is_generated_name
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, files_with, open_environment, sample
from tests.store.examples import CHIPS, enrol, picture

GENERATED_NAME = "people-20261128-120000.sqlite"


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """An environment in which Alice is enrolled, with one backup of a generated name."""
    data = tmp_path / "data"
    data.mkdir()
    with open_environment(data) as env:
        env.registry.enrol("Alice", [sample("a", descriptor(1))], REST_CALLER)
        env.store.backups.make()
        yield env


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE people (x)")


def no_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 3")


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_bytes(b"Alice, in a file that is not an SQLite file" * 100)


def short(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


def audit(path: Path) -> None:
    shutil.copy(path.parent.parent / AUDIT_FILE, path)


def damaged(path: Path) -> None:
    """Write a copy of the backup in which only the header is undamaged."""
    (backup,) = path.parent.glob("*.sqlite")
    content = backup.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) - 100))


@pytest.mark.parametrize("name", [GENERATED_NAME, "people-x.sqlite", "audit-damaged-20261128-120000.sqlite", "notes"])
@pytest.mark.parametrize("make", [empty, audit, no_tables])
def test_erasure_does_not_change_a_file_without_people(
    env: PeopleEnvironment, name: str, make: Callable[[Path], None]
) -> None:
    """Regression: every erasure failed, without a warning before."""
    path = env.data / "backups" / name
    make(path)
    content = path.read_bytes()
    assert env.store.backups.warnings == ()
    env.registry.erase("alice", REST_CALLER)
    assert path.read_bytes() == content
    assert env.store.backups.skipped_warnings() == ()


@pytest.mark.parametrize(
    "name",
    ["README.txt", "photo.jpg", f"{GENERATED_NAME}.gz", "people-anna.sqlite", "mine.db", "x.new", "y.sqlite-journal"],
)
@pytest.mark.parametrize("make", [text, short, damaged, other_tables])
def test_erasure_skips_another_file_with_a_warning(
    env: PeopleEnvironment, caplog: pytest.LogCaptureFixture, name: str, make: Callable[[Path], None]
) -> None:
    """Regression: the file was deleted, or made every erasure fail."""
    path = env.data / "backups" / name
    make(path)
    content = path.read_bytes()
    (warning,) = env.store.backups.warnings
    assert warning.startswith(f"an erasure skips {path} (")
    env.store.backups.check()
    assert caplog.text.count(warning) == 1
    env.registry.erase("alice", REST_CALLER)
    assert path.read_bytes() == content
    assert env.store.backups.skipped_warnings() == (warning,)


@pytest.mark.parametrize(
    "name", [GENERATED_NAME, f"{GENERATED_NAME[:-7]}-2.sqlite", "before-version-7-20261128-120000.sqlite"]
)
@pytest.mark.parametrize("make", [text, short, damaged, other_tables])
def test_erasure_deletes_a_damaged_backup_of_a_generated_name_as_warned_before(
    env: PeopleEnvironment, name: str, make: Callable[[Path], None]
) -> None:
    path = env.data / "backups" / name
    make(path)
    (warning,) = env.store.backups.warnings
    assert warning.startswith(f"the backup {path} cannot be read (")
    assert "the next erasure deletes it" in warning
    path.with_name(f"{name}-journal").write_text("Alice")
    env.registry.erase("alice", REST_CALLER)
    assert not list(path.parent.glob(f"{name}*"))


def test_erasure_deletes_a_journal_without_its_backup(env: PeopleEnvironment) -> None:
    path = env.data / "backups" / f"{GENERATED_NAME}-journal"
    path.write_text("Alice")
    env.registry.erase("alice", REST_CALLER)
    assert not path.exists()


def test_erasure_keeps_the_journal_of_a_backup_until_sqlite_has_used_it(env: PeopleEnvironment) -> None:
    """Regression: the journal of a killed process was deleted before SQLite could undo half a change with it."""
    (backup,) = (env.data / "backups").glob("*.sqlite")
    killed = (
        "PRAGMA cache_size = 1; BEGIN; UPDATE people SET name = 'Torn'; UPDATE pictures SET chips = zeroblob(99999)"
    )
    with closing(sqlite3.connect(backup, isolation_level=None)) as db:
        for statement in killed.split(";"):
            db.execute(statement)
        for path in (backup, backup.with_name(f"{backup.name}-journal")):
            shutil.copy(path, env.data / path.name)
    for path in env.data.glob(f"{backup.name}*"):
        shutil.move(path, backup.parent / path.name)
    assert (backup.parent / f"{backup.name}-journal").stat().st_size
    assert env.store.backups.warnings == ()
    env.registry.enrol("Bob", [sample("b", descriptor(2))], REST_CALLER)
    env.registry.erase("bob", REST_CALLER)
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("SELECT name FROM people").fetchall() == [("Alice",)]


def test_folder_beside_the_backups_is_reported(env: PeopleEnvironment) -> None:
    (env.data / "backups" / "old").mkdir()
    (env.data / "backups" / "lost+found").mkdir()
    (warning,) = env.store.backups.warnings
    assert warning.startswith(f"an erasure skips {env.data / 'backups' / 'old'} (a folder), though")
    env.registry.erase("alice", REST_CALLER)
    assert (env.data / "backups" / "old").exists()


def test_folder_with_the_name_of_an_unfinished_backup_does_not_stop_an_erasure(env: PeopleEnvironment) -> None:
    folder = env.data / "backups" / "mine.sqlite.new"
    folder.mkdir()
    env.registry.erase("alice", REST_CALLER)
    assert folder.exists()


def test_one_warning_is_enough_for_a_hundred_skipped_files(env: PeopleEnvironment) -> None:
    for number in range(100):
        text(env.data / "backups" / f"{number:03}")
    (warning,) = env.store.backups.warnings
    assert " and 97 more, though" in warning


def test_broken_link_is_skipped_without_a_warning(env: PeopleEnvironment, tmp_path: Path) -> None:
    (env.data / "backups" / "link").symlink_to(tmp_path / "absent")
    assert env.store.backups.warnings == ()
    env.registry.erase("alice", REST_CALLER)
    assert (env.data / "backups" / "link").is_symlink()


def test_pipe_beside_the_backups_does_not_stop_an_erasure(env: PeopleEnvironment) -> None:
    os.mkfifo(env.data / "backups" / "pipe")
    assert env.store.backups.warnings == ()
    env.registry.erase("alice", REST_CALLER)


def test_file_that_sqlite_cannot_open_is_named_before_and_at_the_erasure(env: PeopleEnvironment) -> None:
    (backup,) = (env.data / "backups").glob("*.sqlite")
    # a file format of the future, https://sqlite.org/fileformat2.html
    with backup.open("r+b") as file:
        file.seek(44)
        file.write(bytes([0, 0, 0, 9]))
    (warning,) = env.store.backups.warnings
    assert warning.startswith(f"nobody can be erased: {backup} cannot be opened (")
    with pytest.raises(GatewayError, match=f"{backup} still contains the person .*move this file away"):
        env.registry.erase("alice", REST_CALLER)


def test_check_creates_no_file_beside_a_store_with_a_write_ahead_log(env: PeopleEnvironment) -> None:
    path = env.data / "backups" / "mine.sqlite"
    shutil.copy((env.data / "people.sqlite"), path)
    before = set(path.parent.iterdir())
    assert env.store.backups.warnings == ()
    assert set(path.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "is_generated"),
    [
        (GENERATED_NAME, True),
        ("automatic-20261128-120000.sqlite", True),
        ("automatic-anna.sqlite", False),
        ("people-20261128-120000-12.sqlite", True),
        ("before-version-12-20261128-120000.sqlite", True),
        ("people-anna.sqlite", False),
        ("people-20261128-120000-anna.sqlite", False),
        (f"{GENERATED_NAME}.gz", False),
        (f"anna-{GENERATED_NAME}", False),
        (f"{GENERATED_NAME}\n", False),
        ("before-version-7-now.sqlite", False),
    ],
)
def test_generated_name_cannot_contain_the_name_of_a_person(name: str, is_generated: bool) -> None:
    assert is_generated_name(name) is is_generated


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        (f"data/backups/{GENERATED_NAME}", GENERATED_NAME),
        (f"usb/{GENERATED_NAME}", GENERATED_NAME),
        ("anna-schmidt.sqlite", "a file outside data/backups"),
        ("usb/people-anna.sqlite", "a file outside data/backups"),
        ("data/backups/../anna.sqlite", "a file outside data/backups"),
        ("data/backups/anna.sqlite", "a file of another name in data/backups"),
    ],
)
def test_audit_contains_only_generated_names_of_backups(env: PeopleEnvironment, path: str, detail: str) -> None:
    """Regression: the audit, which is never erased, contained the name of a person from the name of a file."""
    assert env.store.backups.audit_name(env.data.parent / path) == detail


def test_registry_reports_files_that_an_erasure_skipped(env: PeopleEnvironment) -> None:
    text(env.data / "backups" / "people.tar.gz")
    env.registry.erase("alice", REST_CALLER)
    (warning,) = env.store.backups.skipped_warnings()
    assert "people.tar.gz (it is not an SQLite file)" in warning


def test_erasure_removes_a_person_from_the_backups(store: SqliteStore, tmp_path: Path) -> None:
    enrol(store, "Alice", picture("a" * 64))
    backup = store.backups.make()
    assert (store.backups.warnings, store.backups.skipped_warnings()) == ((), ())
    assert backup.name in files_with(tmp_path, CHIPS)
    with store.backups.locked():
        assert store.backups.erase("alice", ["a" * 16])
        assert not store.backups.erase("alice", ["a" * 16])
    assert backup.name not in files_with(tmp_path, CHIPS, b"alice")
