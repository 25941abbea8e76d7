"""The audit beside the store: what crashes, damage, restores and older stores leave of it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.model.caller import BRIDGE_CALLER, CLI_CALLER, REST_CALLER
from gateway.store.cipher import Cipher
from gateway.store.sqlite import schema
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.restore import restore
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, files_with, open_environment, sample
from tests.store.sqlite.test_people import enrol, opened, picture, version_of

NAMES = (b"Alice", b"alice")


@pytest.fixture
def here(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """Alice is known."""
    with open_environment(tmp_path) as here:
        here.registry.enrol("Alice", [sample("alice1", descriptor(1))], REST_CALLER)
        yield here


def actions(store: SqliteStore) -> list[str]:
    """The oldest first."""
    return [line.action for line in reversed(store.audit.read_lines(100))]


def in_file(data: Path) -> list[str]:
    with closing(sqlite3.connect(data / AUDIT_FILE)) as db:
        return [action for (action,) in db.execute("SELECT action FROM audit ORDER BY id")]


def waiting(here: PeopleEnvironment) -> int:
    ((lines,),) = here.store.database.rows("SELECT count(*) FROM outbox")
    return int(lines)


def test_a_line_is_in_the_audit_file_as_soon_as_the_change_returned(here: PeopleEnvironment) -> None:
    assert (in_file(here.data), waiting(here)) == (["add"], 0)
    assert (here.data / AUDIT_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("statement", ["DELETE FROM audit", "UPDATE audit SET door = 'nobody'"])
def test_the_audit_is_only_added_to(here: PeopleEnvironment, statement: str) -> None:
    with (
        closing(sqlite3.connect(here.data / AUDIT_FILE)) as db,
        pytest.raises(sqlite3.IntegrityError, match="only added to"),
    ):
        db.execute(statement)


def test_a_change_that_is_undone_leaves_no_line(here: PeopleEnvironment) -> None:
    def fail() -> None:
        with here.store.database.transaction():
            here.store.people.rename("alice", "Bob", REST_CALLER)
            here.registry.refresh()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert in_file(here.data) == ["add"]


def test_a_crash_before_the_move_loses_no_line(tmp_path: Path) -> None:
    with opened(tmp_path / "people.sqlite") as store:  # without an audit, as if it was killed before the move
        enrol(store, "Alice")
    assert not (tmp_path / AUDIT_FILE).exists()
    with open_environment(tmp_path):
        assert in_file(tmp_path) == ["add"]


def test_a_crash_within_the_move_doubles_no_line(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Bob", picture("d2"))
    before = Path(shutil.copy(path, tmp_path / "before.sqlite"))
    with open_environment(tmp_path):
        assert in_file(tmp_path) == ["add", "add"]
    # the lines are in both files, as when it was killed between the two transactions
    before.replace(path)
    with open_environment(tmp_path) as here:
        assert (in_file(tmp_path), waiting(here)) == (["add", "add"], 0)


def test_a_change_is_done_where_the_outbox_cannot_be_emptied(here: PeopleEnvironment) -> None:
    """As on a disk that became full: the lines are in the audit, and come out of the outbox at the next move."""
    db = here.store.database._db
    db.execute("CREATE TEMP TRIGGER full BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    assert here.registry.rename("alice", "Bob", REST_CALLER).person.name == "Bob"
    assert (in_file(here.data), waiting(here)) == (["add", "rename"], 1)
    db.execute("DROP TRIGGER full")
    here.registry.refresh()
    assert (in_file(here.data), waiting(here)) == (["add", "rename"], 0)


def test_many_lines_are_moved_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.sqlite.audit_file.MAX_LINES_PER_MOVE", 2)
    with opened(tmp_path / "people.sqlite") as store:
        enrol(store, "Alice")
        for name in ("Bob", "Carol", "Dora"):
            store.people.rename("alice", name, REST_CALLER)
        store.people.remove("alice", REST_CALLER)
    with open_environment(tmp_path):
        assert in_file(tmp_path) == ["add", "rename", "rename", "rename", "remove"]


def test_an_export_stands_in_the_audit_of_one_person_and_of_all(here: PeopleEnvironment) -> None:
    list(here.registry.export("alice", REST_CALLER))
    list(here.registry.export(None, BRIDGE_CALLER))
    everybody, one, add = here.store.audit.read_lines(3)
    assert (one.door, one.action, one.person) == ("rest", "export", add.person)
    assert (everybody.door, everybody.action, everybody.person) == ("mqtt:bridge", "export", "")


def test_of_somebody_erased_the_audit_keeps_a_random_id_only(here: PeopleEnvironment) -> None:
    list(here.registry.export("alice", REST_CALLER))
    here.registry.erase("alice", REST_CALLER)
    assert in_file(here.data) == ["add", "export", "erase"]
    assert len({line.person for line in here.store.audit.read_lines(3)}) == 1
    assert files_with(here.data, *NAMES) == set()


def test_a_restore_rolls_the_audit_not_back_and_stands_in_it(here: PeopleEnvironment, tmp_path: Path) -> None:
    """Regression: the audit was a table of the store, and the restore replaced it."""
    backup = here.store.backups.make(tmp_path / "mine.sqlite")
    here.registry.rename("alice", "Bob", REST_CALLER)
    here.store.close()
    before = restore(backup, here.data / "people.sqlite", Cipher(None), AuditFile(here.data / AUDIT_FILE), "ada")
    assert before is not None
    assert in_file(here.data) == ["add", "rename", "restore"]
    with open_environment(here.data) as again:
        line = again.store.audit.read_lines(1)[0]
        assert (line.door, line.detail) == (
            "cli",
            f"a file outside data/backups, by ada; the store before it is {before.name}",
        )
        again.registry.remove("alice", REST_CALLER)
    assert in_file(here.data) == ["add", "rename", "restore", "remove"]


def test_a_backup_takes_no_line_of_the_audit_with_it(tmp_path: Path) -> None:
    with opened(tmp_path / "people.sqlite") as store:
        enrol(store, "Alice")
        store.database.copy(tmp_path / "copy.sqlite", without=("outbox",))
    with opened(tmp_path / "copy.sqlite") as copy:
        assert copy.audit.read_lines(9) == []


VERSION_5 = """
DROP TABLE outbox;
ALTER TABLE pictures DROP COLUMN stamp;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    door TEXT NOT NULL,
    action TEXT NOT NULL,
    person TEXT NOT NULL,
    pictures INTEGER NOT NULL
);
CREATE TRIGGER audit_lasts BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
INSERT INTO audit (at, door, action, person, pictures) VALUES
    (1.5, 'rest', 'add', 'aa', 2), (1.5, 'rest', 'add', 'bb', 1), (2.5, 'cli', 'erase', 'aa', 2);
PRAGMA user_version = 5;
"""


def of_version_5(path: Path) -> Path:
    """A store as the version before wrote it, with the audit in a table of its own."""
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(VERSION_5)
    return path


def test_the_lines_of_an_older_store_are_moved_once(tmp_path: Path) -> None:
    older = Path(shutil.copy(of_version_5(tmp_path / "people.sqlite"), tmp_path / "older.sqlite"))
    with open_environment(tmp_path) as here:
        told = [
            (line.at, line.door, line.action, line.person, line.pictures) for line in here.store.audit.read_lines(9)
        ]
        assert told[1:] == [
            (2.5, "cli", "erase", "aa", 2),
            (1.5, "rest", "add", "bb", 1),
            (1.5, "rest", "add", "aa", 2),
        ]
        assert told[0][1:3] == ("upgrade", "backup")
    restore(older, tmp_path / "people.sqlite", Cipher(None), AuditFile(tmp_path / AUDIT_FILE), "ada")
    assert in_file(tmp_path)[:4] == ["add", "add", "erase", "backup"]
    assert in_file(tmp_path).count("erase") == 1
    assert version_of(tmp_path / "people.sqlite") == schema.VERSION


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = b"damaged " * (len(content) // 16)
    path.write_bytes(content)


def test_a_damaged_audit_is_set_aside_and_a_new_one_begun(here: PeopleEnvironment) -> None:
    here.store.close()
    damage(here.data / AUDIT_FILE)
    content = (here.data / AUDIT_FILE).read_bytes()
    with open_environment(here.data) as again:
        again.registry.rename("alice", "Bob", REST_CALLER)
        (aside,) = here.data.glob("audit-damaged-*.sqlite")
        assert aside.read_bytes() == content
        assert actions(again.store) == ["rename"]
        again.registry.erase("alice", REST_CALLER)
    assert aside.read_bytes() == content
    (warning,) = AuditFile(here.data / AUDIT_FILE).warnings
    assert str(aside) in warning


def test_an_audit_that_is_damaged_while_it_is_used_is_set_aside(here: PeopleEnvironment) -> None:
    damage(here.data / AUDIT_FILE)
    here.registry.rename("alice", "Bob", REST_CALLER)
    assert in_file(here.data) == ["rename"]
    assert len(list(here.data.glob("audit-damaged-*.sqlite"))) == 1


def test_two_damaged_audits_within_a_second_are_both_kept(here: PeopleEnvironment) -> None:
    for name in ("Bob", "Carol"):
        damage(here.data / AUDIT_FILE)
        here.registry.rename("alice", name, REST_CALLER)
    assert len(list(here.data.glob("audit-damaged-*.sqlite"))) == 2


def test_lines_wait_while_the_audit_cannot_be_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder in its place: root, who runs the tests, may write to any file."""
    (tmp_path / AUDIT_FILE).mkdir()
    audit = AuditFile(tmp_path / AUDIT_FILE)
    with closing(SqliteStore(tmp_path / "people.sqlite", audit=audit)) as store:
        enrol(store, "Alice")
        enrol(store, "Bob", picture("d2"))
        store.audit.flush()
        store.audit.flush()
        assert caplog.text.count("audit.sqlite cannot be written") == 1
        (warning,) = audit.warnings
        assert str(tmp_path / AUDIT_FILE) in warning
        with pytest.raises(GatewayError, match=r"the audit .*audit\.sqlite cannot be read"):
            store.audit.read_lines(9)
        (tmp_path / AUDIT_FILE).rmdir()
        assert [line.action for line in store.audit.read_lines(9)] == ["add", "add"]
        assert audit.warnings == ()


def test_a_problem_is_a_warning_as_long_as_it_lasts(tmp_path: Path) -> None:
    """Also where no line waits, and where another process moved the lines."""
    (tmp_path / AUDIT_FILE).mkdir()
    audit = AuditFile(tmp_path / AUDIT_FILE)
    with closing(SqliteStore(tmp_path / "people.sqlite", audit=audit)) as store:
        store.audit.flush()
        assert len(audit.warnings) == 1
        enrol(store, "Alice")
        store.audit.flush()
        assert len(audit.warnings) == 1
        (tmp_path / AUDIT_FILE).rmdir()
        with open_environment(tmp_path):
            assert in_file(tmp_path) == ["add"]
        store.audit.flush()
        assert not audit.warnings


def test_an_audit_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / AUDIT_FILE)) as db:
        db.execute("PRAGMA user_version = 9")
    content = (tmp_path / AUDIT_FILE).read_bytes()
    audit = AuditFile(tmp_path / AUDIT_FILE)
    with closing(SqliteStore(tmp_path / "people.sqlite", audit=audit)) as store:
        enrol(store, "Alice")
        store.audit.flush()
    assert (tmp_path / AUDIT_FILE).read_bytes() == content
    assert "newer version" in audit.warnings[0]


def test_two_processes_share_one_audit(tmp_path: Path) -> None:
    with open_environment(tmp_path) as one, open_environment(tmp_path) as other:
        one.registry.enrol("Alice", [sample("alice1", descriptor(1))], REST_CALLER)
        other.registry.enrol("Bob", [sample("bob1", descriptor(2))], CLI_CALLER)
        assert [line.door for line in one.store.audit.read_lines(9)] == [
            line.door for line in other.store.audit.read_lines(9)
        ]
        assert [line.door for line in one.store.audit.read_lines(9)] == ["cli", "rest"]
