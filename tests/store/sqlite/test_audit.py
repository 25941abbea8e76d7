"""The audit beside the store, after crashes, damage, restores and upgrades."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import Busy, GatewayError
from gateway.files.ownership import user_name
from gateway.model.caller import BRIDGE_CALLER, CLI_CALLER, GATEWAY_CALLER, REST_CALLER, Caller, camera_caller
from gateway.store.cipher import Cipher
from gateway.store.relational import writes
from gateway.store.relational.audit import OUTBOX_FULL
from gateway.store.sqlite import schema
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.restore import restore
from gateway.store.sqlite.store import SqliteStore
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, files_with, open_environment, sample
from tests.store.examples import enrol, picture
from tests.store.sqlite.old_stores import opened, schema_of, version_of

NAMES = (b"Alice", b"alice")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    """An environment in which Alice is enrolled."""
    with open_environment(tmp_path) as env:
        env.registry.enrol("Alice", [sample("alice1", descriptor(1))], REST_CALLER)
        yield env


def actions(store: SqliteStore) -> list[str]:
    """Return the actions in the audit, the oldest first."""
    return [line.action for line in reversed(store.audit.read_lines(100))]


def in_file(data: Path) -> list[str]:
    with closing(sqlite3.connect(data / AUDIT_FILE)) as db:
        return [action for (action,) in db.execute("SELECT action FROM audit ORDER BY id")]


def waiting(env: PeopleEnvironment) -> int:
    ((lines,),) = env.store.database.rows("SELECT count(*) FROM outbox")
    return int(lines)


def test_line_is_in_the_audit_file_when_the_change_returns(env: PeopleEnvironment) -> None:
    assert (in_file(env.data), waiting(env)) == (["add"], 0)
    assert (env.data / AUDIT_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("statement", ["DELETE FROM audit", "UPDATE audit SET door = 'nobody'"])
def test_audit_can_only_grow(env: PeopleEnvironment, statement: str) -> None:
    with (
        closing(sqlite3.connect(env.data / AUDIT_FILE)) as db,
        pytest.raises(sqlite3.IntegrityError, match="only added to"),
    ):
        db.execute(statement)


def test_undone_change_leaves_no_line(env: PeopleEnvironment) -> None:
    def fail() -> None:
        with env.store.database.transaction():
            env.store.people.rename("alice", "Bob", REST_CALLER)
            env.updater.refresh()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert in_file(env.data) == ["add"]


def test_crash_before_the_move_loses_no_line(tmp_path: Path) -> None:
    with opened(tmp_path / "people.sqlite") as store:  # without an audit, as if the process was killed before the move
        enrol(store, "Alice")
    assert not (tmp_path / AUDIT_FILE).exists()
    with open_environment(tmp_path):
        assert in_file(tmp_path) == ["add"]


def test_crash_within_the_move_doubles_no_line(tmp_path: Path) -> None:
    path = tmp_path / "people.sqlite"
    with opened(path) as store:
        enrol(store, "Alice")
        enrol(store, "Bob", picture("d2"))
    before = Path(shutil.copy(path, tmp_path / "before.sqlite"))
    with open_environment(tmp_path):
        assert in_file(tmp_path) == ["add", "add"]
    # the lines are in both files, as if the process was killed between the two transactions
    before.replace(path)
    with open_environment(tmp_path) as env:
        assert (in_file(tmp_path), waiting(env)) == (["add", "add"], 0)


def test_change_is_done_even_if_the_outbox_cannot_be_emptied(env: PeopleEnvironment) -> None:
    """The disk is full: the lines are in the audit, and the next move deletes them from the outbox."""
    db = env.store.database._db
    db.execute("CREATE TEMP TRIGGER full BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
    assert env.registry.rename("alice", "Bob", REST_CALLER).person.name == "Bob"
    assert (in_file(env.data), waiting(env)) == (["add", "rename"], 1)
    db.execute("DROP TRIGGER full")
    env.updater.finish_changes()
    assert (in_file(env.data), waiting(env)) == (["add", "rename"], 0)


def test_many_lines_are_moved_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.store.sqlite.audit_file.MAX_LINES_PER_MOVE", 2)
    with opened(tmp_path / "people.sqlite") as store:
        enrol(store, "Alice")
        for name in ("Bob", "Carol", "Dora"):
            store.people.rename("alice", name, REST_CALLER)
        store.people.remove("alice", REST_CALLER)
    with open_environment(tmp_path):
        assert in_file(tmp_path) == ["add", "rename", "rename", "rename", "remove"]


def test_audit_contains_exports_of_one_person_and_of_all(env: PeopleEnvironment) -> None:
    list(env.registry.export("alice", REST_CALLER))
    list(env.registry.export(None, BRIDGE_CALLER))
    everybody, one, add = env.store.audit.read_lines(3)
    assert (one.door, one.action, one.person) == ("rest", "export", add.person)
    assert (everybody.door, everybody.action, everybody.person) == ("mqtt", "export", "")


def test_audit_contains_only_a_random_id_of_an_erased_person(env: PeopleEnvironment) -> None:
    list(env.registry.export("alice", REST_CALLER))
    env.registry.erase("alice", REST_CALLER)
    assert in_file(env.data) == ["add", "export", "erase"]
    assert len({line.person for line in env.store.audit.read_lines(3)}) == 1
    assert files_with(env.data, *NAMES) == set()


def test_restore_adds_a_line_to_the_audit_and_removes_none(env: PeopleEnvironment, tmp_path: Path) -> None:
    """Regression: the audit was a table of the store, and the restore replaced it."""
    backup = env.store.backups.make(tmp_path / "mine.sqlite")
    env.registry.rename("alice", "Bob", REST_CALLER)
    env.store.close()
    before = restore(backup, env.data / "people.sqlite", Cipher(None), AuditFile(env.data / AUDIT_FILE))
    assert before is not None
    assert in_file(env.data) == ["add", "rename", "restore"]
    with open_environment(env.data) as again:
        line = again.store.audit.read_lines(1)[0]
        assert (line.door, line.detail) == (
            "cli",
            f"a file outside data/backups, made after line 1; the store before it is {before.name}",
        )
        again.registry.remove("alice", REST_CALLER)
    assert in_file(env.data) == ["add", "rename", "restore", "remove"]


def test_backup_contains_no_line_of_the_audit(tmp_path: Path) -> None:
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


def write_version_5(path: Path) -> Path:
    """Write a store of version 5, which contains the audit as a table."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(schema_of(7) + VERSION_5)
    return path


def test_lines_of_an_old_store_are_moved_once(tmp_path: Path) -> None:
    older = Path(shutil.copy(write_version_5(tmp_path / "people.sqlite"), tmp_path / "older.sqlite"))
    with open_environment(tmp_path) as env:
        lines = [
            (line.at, line.door, line.action, line.person, line.pictures) for line in env.store.audit.read_lines(9)
        ]
        assert lines[1:] == [
            (2.5, "cli", "erase", "aa", 2),
            (1.5, "rest", "add", "bb", 1),
            (1.5, "rest", "add", "aa", 2),
        ]
        assert lines[0][1:3] == ("upgrade", "backup")
    restore(older, tmp_path / "people.sqlite", Cipher(None), AuditFile(tmp_path / AUDIT_FILE))
    assert in_file(tmp_path)[:4] == ["add", "add", "erase", "backup"]
    assert in_file(tmp_path).count("erase") == 1
    assert version_of(tmp_path / "people.sqlite") == schema.VERSION


def test_waiting_line_of_version_9_is_moved(tmp_path: Path) -> None:
    """Version 9 had no role and no outcome in the outbox."""
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as db, db:
        db.executescript(schema_of(9))
        db.execute("INSERT INTO outbox VALUES ('a line', 1.5, 'mqtt:porch', 'add', 'aa', 2, '')")
    with open_environment(tmp_path) as env:
        backup, add = env.store.audit.read_lines(9)
        assert (add.door, add.role, add.outcome, add.times) == ("mqtt:porch", "", "done", 1)
        assert (backup.door, backup.role, backup.action) == ("upgrade", "system", "backup")
    assert version_of(tmp_path / "people.sqlite") == schema.VERSION


@pytest.mark.parametrize(
    ("caller", "actor", "role"),
    [
        (Caller("rest", "phone", "keeper"), "phone", "keeper"),
        (REST_CALLER, "", "admin"),
        (camera_caller("porch"), "porch", "camera"),
        (CLI_CALLER, user_name(os.getuid()), "admin"),
    ],
)
def test_line_has_the_user_and_the_role_of_the_caller(
    env: PeopleEnvironment, caller: Caller, actor: str, role: str
) -> None:
    env.registry.rename("alice", "Anna", caller)
    line = env.store.audit.read_lines(1)[0]
    assert (line.door, line.actor, line.role, line.outcome) == (caller.audit_text(), actor, role, "done")
    assert env.store.audit.check().problems == ()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[: len(content) // 2] = b"damaged " * (len(content) // 16)
    path.write_bytes(content)


def test_damaged_audit_is_renamed_and_a_new_one_created(env: PeopleEnvironment) -> None:
    env.store.close()
    damage(env.data / AUDIT_FILE)
    content = (env.data / AUDIT_FILE).read_bytes()
    with open_environment(env.data) as again:
        again.registry.rename("alice", "Bob", REST_CALLER)
        (aside,) = env.data.glob("audit-damaged-*.sqlite")
        assert aside.read_bytes() == content
        assert actions(again.store) == ["audit_replaced", "rename"]
        again.registry.erase("alice", REST_CALLER)
    assert aside.read_bytes() == content
    (warning,) = AuditFile(env.data / AUDIT_FILE).warnings
    assert str(aside) in warning


def test_audit_that_is_damaged_during_use_is_renamed(env: PeopleEnvironment) -> None:
    damage(env.data / AUDIT_FILE)
    env.registry.rename("alice", "Bob", REST_CALLER)
    assert in_file(env.data) == ["audit_replaced", "rename"]
    assert len(list(env.data.glob("audit-damaged-*.sqlite"))) == 1


def test_two_damaged_audits_within_a_second_get_different_names(env: PeopleEnvironment) -> None:
    for name in ("Bob", "Carol"):
        damage(env.data / AUDIT_FILE)
        env.registry.rename("alice", name, REST_CALLER)
    assert len(list(env.data.glob("audit-damaged-*.sqlite"))) == 2


def test_lines_stay_in_the_outbox_while_the_audit_cannot_be_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder is in the place of the file, since root may write to any file."""
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


def test_changes_are_refused_while_too_many_lines_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the lines waited without a bound."""
    monkeypatch.setattr(writes, "MAX_WAITING_LINES", 3)
    (tmp_path / AUDIT_FILE).mkdir()
    audit = AuditFile(tmp_path / AUDIT_FILE)
    with closing(SqliteStore(tmp_path / "people.sqlite", audit=audit)) as store:
        for n in range(3):
            enrol(store, f"P{n}", picture(f"d{n}"))
        store.audit.flush()
        assert OUTBOX_FULL in store.audit.warnings
        with pytest.raises(Busy, match="lines wait for the audit"):
            enrol(store, "Bob", picture("d9"))
        with pytest.raises(Busy):
            store.audit.record(CLI_CALLER, "export")
        # The gateway itself goes on: it erases people in time.
        store.audit.record(GATEWAY_CALLER, "start")
        (tmp_path / AUDIT_FILE).rmdir()
        store.audit.flush()
        assert store.audit.warnings == ()
        enrol(store, "Bob", picture("d9"))
        assert [line.action for line in store.audit.read_lines(9)] == ["add", "start", "add", "add", "add"]


def test_problem_is_a_warning_as_long_as_it_lasts(tmp_path: Path) -> None:
    """The warning stays if no line waits, and also if another process moved the lines."""
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


def test_audit_of_a_newer_version_is_not_changed(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / AUDIT_FILE)) as db:
        db.execute("PRAGMA user_version = 9")
    content = (tmp_path / AUDIT_FILE).read_bytes()
    audit = AuditFile(tmp_path / AUDIT_FILE)
    with closing(SqliteStore(tmp_path / "people.sqlite", audit=audit)) as store:
        enrol(store, "Alice")
        store.audit.flush()
    assert (tmp_path / AUDIT_FILE).read_bytes() == content
    assert "newer Facegate" in audit.warnings[0]


def test_two_processes_share_one_audit(tmp_path: Path) -> None:
    with open_environment(tmp_path) as one, open_environment(tmp_path) as other:
        one.registry.enrol("Alice", [sample("alice1", descriptor(1))], REST_CALLER)
        other.registry.enrol("Bob", [sample("bob1", descriptor(2))], CLI_CALLER)
        assert [line.door for line in one.store.audit.read_lines(9)] == [
            line.door for line in other.store.audit.read_lines(9)
        ]
        assert [line.door for line in one.store.audit.read_lines(9)] == ["cli", "rest"]
