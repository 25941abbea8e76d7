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
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, open_environment, sample

OURS = "people-20261128-120000.sqlite"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """Alice is known, and stands in one backup with a name of her gateway."""
    data = tmp_path / "data"
    data.mkdir()
    with open_environment(data) as here:
        here.registry.enrol("Alice", [sample("a", descriptor(1))], REST_CALLER)
        here.store.backups.make()
        yield here


def other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE people (x)")


def no_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 3")


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_bytes(b"Alice, in a file that is no SQLite file" * 100)


def short(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0")


def audit(path: Path) -> None:
    shutil.copy(path.parent.parent / AUDIT_FILE, path)


def damaged(path: Path) -> None:
    """Its header is whole."""
    (backup,) = path.parent.glob("*.sqlite")
    content = backup.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) - 100))


@pytest.mark.parametrize("name", [OURS, "people-x.sqlite", "audit-damaged-20261128-120000.sqlite", "notes"])
@pytest.mark.parametrize("make", [empty, audit, no_tables])
def test_erasing_leaves_a_file_alone_that_holds_nobody(
    here: PeopleEnvironment, name: str, make: Callable[[Path], None]
) -> None:
    """Regression: each erasure failed for ever, and nothing warned of it."""
    path = here.data / "backups" / name
    make(path)
    content = path.read_bytes()
    assert here.store.backups.warnings == ()
    here.registry.erase("alice", REST_CALLER)
    assert path.read_bytes() == content
    assert here.store.backups.skipped_warnings() == ()


@pytest.mark.parametrize(
    "name", ["README.txt", "photo.jpg", f"{OURS}.gz", "people-anna.sqlite", "mine.db", "x.new", "y.sqlite-journal"]
)
@pytest.mark.parametrize("make", [text, short, damaged, other_tables])
def test_erasing_leaves_an_unknown_file_alone_and_says_so(
    here: PeopleEnvironment, caplog: pytest.LogCaptureFixture, name: str, make: Callable[[Path], None]
) -> None:
    """Regression: the file was deleted, or made each erasure fail."""
    path = here.data / "backups" / name
    make(path)
    content = path.read_bytes()
    (warning,) = here.store.backups.warnings
    assert warning.startswith(f"an erasure skips {path} (")
    here.store.backups.check()
    assert caplog.text.count(warning) == 1
    here.registry.erase("alice", REST_CALLER)
    assert path.read_bytes() == content
    assert here.store.backups.skipped_warnings() == (warning,)


@pytest.mark.parametrize("name", [OURS, f"{OURS[:-7]}-2.sqlite", "before-version-7-20261128-120000.sqlite"])
@pytest.mark.parametrize("make", [text, short, damaged, other_tables])
def test_erasing_deletes_a_damaged_backup_of_our_own_as_warned_before(
    here: PeopleEnvironment, name: str, make: Callable[[Path], None]
) -> None:
    path = here.data / "backups" / name
    make(path)
    (warning,) = here.store.backups.warnings
    assert warning.startswith(f"the backup {path} cannot be read (")
    assert "the next erasure deletes it" in warning
    path.with_name(f"{name}-journal").write_text("Alice")
    here.registry.erase("alice", REST_CALLER)
    assert not list(path.parent.glob(f"{name}*"))


def test_erasing_deletes_what_sqlite_left_of_a_backup_of_our_own(here: PeopleEnvironment) -> None:
    path = here.data / "backups" / f"{OURS}-journal"
    path.write_text("Alice")
    here.registry.erase("alice", REST_CALLER)
    assert not path.exists()


def test_erasing_keeps_the_journal_from_which_sqlite_mends_a_backup(here: PeopleEnvironment) -> None:
    """Regression: the journal of a killed process was deleted before SQLite could undo half a change with it."""
    (backup,) = (here.data / "backups").glob("*.sqlite")
    killed = (
        "PRAGMA cache_size = 1; BEGIN; UPDATE people SET name = 'Torn'; UPDATE pictures SET chips = zeroblob(99999)"
    )
    with closing(sqlite3.connect(backup, isolation_level=None)) as db:
        for statement in killed.split(";"):
            db.execute(statement)
        for path in (backup, backup.with_name(f"{backup.name}-journal")):
            shutil.copy(path, here.data / path.name)
    for path in here.data.glob(f"{backup.name}*"):
        shutil.move(path, backup.parent / path.name)
    assert (backup.parent / f"{backup.name}-journal").stat().st_size
    assert here.store.backups.warnings == ()
    here.registry.enrol("Bob", [sample("b", descriptor(2))], REST_CALLER)
    here.registry.erase("bob", REST_CALLER)
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("SELECT name FROM people").fetchall() == [("Alice",)]


def test_a_folder_beside_the_backups_is_reported(here: PeopleEnvironment) -> None:
    (here.data / "backups" / "old").mkdir()
    (here.data / "backups" / "lost+found").mkdir()
    (warning,) = here.store.backups.warnings
    assert warning.startswith(f"an erasure skips {here.data / 'backups' / 'old'} (a folder), though")
    here.registry.erase("alice", REST_CALLER)
    assert (here.data / "backups" / "old").exists()


def test_a_hundred_unknown_files_are_one_sentence(here: PeopleEnvironment) -> None:
    for number in range(100):
        text(here.data / "backups" / f"{number:03}")
    (warning,) = here.store.backups.warnings
    assert " and 97 more, though" in warning


def test_a_link_that_leads_nowhere_is_left_alone(here: PeopleEnvironment, tmp_path: Path) -> None:
    (here.data / "backups" / "link").symlink_to(tmp_path / "absent")
    assert here.store.backups.warnings == ()
    here.registry.erase("alice", REST_CALLER)
    assert (here.data / "backups" / "link").is_symlink()


def test_a_pipe_beside_the_backups_does_not_stop_an_erasure(here: PeopleEnvironment) -> None:
    os.mkfifo(here.data / "backups" / "pipe")
    assert here.store.backups.warnings == ()
    here.registry.erase("alice", REST_CALLER)


def test_a_file_that_sqlite_does_not_open_is_named_before_and_at_the_erasure(here: PeopleEnvironment) -> None:
    (backup,) = (here.data / "backups").glob("*.sqlite")
    # a file format of the future, https://sqlite.org/fileformat2.html
    with backup.open("r+b") as file:
        file.seek(44)
        file.write(bytes([0, 0, 0, 9]))
    (warning,) = here.store.backups.warnings
    assert warning.startswith(f"nobody can be erased: {backup} cannot be opened (")
    with pytest.raises(GatewayError, match=f"{backup} still contains the person .*move this file away"):
        here.registry.erase("alice", REST_CALLER)


def test_looking_leaves_nothing_beside_a_file_with_a_write_ahead_log(here: PeopleEnvironment) -> None:
    path = here.data / "backups" / "mine.sqlite"
    shutil.copy((here.data / "people.sqlite"), path)
    before = set(path.parent.iterdir())
    assert here.store.backups.warnings == ()
    assert set(path.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (OURS, True),
        ("people-20261128-120000-12.sqlite", True),
        ("before-version-12-20261128-120000.sqlite", True),
        ("people-anna.sqlite", False),
        ("people-20261128-120000-anna.sqlite", False),
        (f"{OURS}.gz", False),
        (f"anna-{OURS}", False),
        (f"{OURS}\n", False),
        ("before-version-7-now.sqlite", False),
    ],
)
def test_a_name_is_ours_only_if_a_person_s_name_cannot_stand_in_it(name: str, ours: bool) -> None:
    assert is_generated_name(name) is ours


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        (f"data/backups/{OURS}", OURS),
        (f"usb/{OURS}", OURS),
        ("anna-schmidt.sqlite", "a file outside data/backups"),
        ("usb/people-anna.sqlite", "a file outside data/backups"),
        ("data/backups/../anna.sqlite", "a file outside data/backups"),
        ("data/backups/anna.sqlite", "a file of another name in data/backups"),
    ],
)
def test_the_audit_names_a_backup_only_by_a_name_of_our_own(here: PeopleEnvironment, path: str, detail: str) -> None:
    """Regression: the audit is never erased, and kept the name of a person who stood in a file's name."""
    assert here.store.backups.audit_name(here.data.parent / path) == detail


def test_the_registry_says_what_an_erasure_did_not_look_into(here: PeopleEnvironment) -> None:
    text(here.data / "backups" / "people.tar.gz")
    here.registry.erase("alice", REST_CALLER)
    (warning,) = here.registry.erasure_warnings()
    assert "people.tar.gz (it is not an SQLite file)" in warning
