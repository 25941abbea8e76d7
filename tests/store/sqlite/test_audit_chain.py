"""The codes of the audit: each change of the file by another program is found."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.model.audit import AuditEvent
from gateway.model.caller import GATEWAY_CALLER, REST_CALLER, Caller, camera_caller
from gateway.store.audit_records import AuditHead, parse_head
from gateway.store.limits import AuditLimits
from gateway.store.relational import audit_lines, audit_rows
from gateway.store.relational.audit_chain import KEY_BYTES
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.audit_key import KEY_FILE
from gateway.store.sqlite.store import SqliteStore
from tests.store.examples import enrol, picture
from tests.support import set_clock

NAMES = ("Alice", "Bob", "Carol", "Dora", "Eve")


def open_store(data: Path) -> SqliteStore:
    return SqliteStore(data / "people.sqlite", audit=AuditFile(data / AUDIT_FILE))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store with five lines in its audit."""
    with closing(open_store(tmp_path)) as store:
        for number, name in enumerate(NAMES):
            enrol(store, name, picture(f"d{number}"))
        store.audit.flush()
        yield store


def change(data: Path, *statements: str) -> None:
    """Change the file as a program that knows its tables, but not its key."""
    with closing(sqlite3.connect(data / AUDIT_FILE)) as db:
        db.executescript("DROP TRIGGER audit_stays; DROP TRIGGER audit_lasts;" + ";".join(statements))


def test_audit_that_nobody_touched_is_intact(store: SqliteStore) -> None:
    found = store.audit.check()
    assert (found.lines, found.problems) == (5, ())
    assert found.head == store.audit.read_head()
    assert found.head is not None
    assert found.head.line == 5


def test_key_is_for_its_owner_only(store: SqliteStore, tmp_path: Path) -> None:
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / KEY_FILE).stat().st_size == KEY_BYTES


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["UPDATE audit SET action = 'remove' WHERE id = 3"], "line 3 of the audit"),
        (["UPDATE audit SET at = at + 1 WHERE id = 1"], "line 1 of the audit"),
        (["UPDATE audit SET role = 'viewer' WHERE id = 5"], "line 5 of the audit"),
        (["UPDATE audit SET times = 2 WHERE id = 5"], "line 5 of the audit"),
        (["UPDATE audit SET code = zeroblob(32) WHERE id = 2"], "the lines 2 to 3 of the audit"),
        (["UPDATE audit SET code = 'text' WHERE id = 2"], "the lines 2 to 3 of the audit"),
        (["UPDATE audit SET code = NULL WHERE id = 2"], "the lines 2 to 3 of the audit"),
        (["UPDATE audit SET detail = x'00ff' WHERE id = 2"], "line 2 of the audit"),
        (["DELETE FROM audit WHERE id = 2"], "line 3 of the audit"),
        (["DELETE FROM audit WHERE id < 3"], "line 3 of the audit"),
        (["DELETE FROM audit WHERE id = 5"], "the people store knows another line 5"),
        (["DELETE FROM audit"], "the people store knows another line 5"),
        (
            ["UPDATE audit SET id = 9 WHERE id = 2", "UPDATE audit SET id = 2 WHERE id = 3"],
            "line 2 of the audit",
        ),
        (
            [
                "INSERT INTO audit SELECT 6, 'uid', at, door, action, person, pictures, detail, actor, role, outcome,"
                " times, code FROM audit WHERE id = 5"
            ],
            "line 6 of the audit",
        ),
        (
            [
                "INSERT INTO checkpoint SELECT 1, id, code, zeroblob(32) FROM audit WHERE id = 2",
                "DELETE FROM audit WHERE id <= 2",
            ],
            "the lines up to 2 were not deleted by the gateway",
        ),
        (
            ["INSERT INTO checkpoint VALUES (1, 'x', 'y', 'z')"],
            "were not deleted by the gateway",
        ),
    ],
)
def test_change_by_another_program_is_found(
    store: SqliteStore, tmp_path: Path, statements: list[str], problem: str
) -> None:
    change(tmp_path, *statements)
    assert any(problem in each for each in store.audit.check().problems), store.audit.check().problems


def test_audit_of_another_key_is_found(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(bytes(KEY_BYTES))
    assert store.audit.check().problems == (
        "the lines 1 to 5 of the audit or the line before was changed or removed, or has another key",
    )


def test_end_that_was_reported_elsewhere_must_be_in_the_audit(store: SqliteStore) -> None:
    """A program with the key can write the whole audit again. Only a report elsewhere shows that."""
    head = store.audit.read_head()
    assert head is not None
    enrol(store, "Frank", picture("d9"))
    assert store.audit.check([parse_head(head.text())]).problems == ()
    other = AuditHead(head.line, bytes(32))
    assert store.audit.check([head, other]).problems == (f"the audit has no line 5 with the code {'00' * 32}",)
    assert "no line 99" in store.audit.check([AuditHead(99, head.code)]).problems[0]


@pytest.mark.parametrize(
    "text", ["", "5", "5:ab", "x:" + "0" * 64, "5:" + "g" * 64, "5:" + "0" * 65, "9" * 19 + ":" + "0" * 64]
)
def test_head_has_a_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"head of the audit is|hexadecimal"):
        parse_head(text)


def actions(store: SqliteStore, number: int = 100) -> list[str]:
    return [line.action for line in reversed(store.audit.read_lines(number))]


@pytest.mark.parametrize(
    "replace",
    [
        pytest.param(lambda audit, older: audit.unlink(), id="deleted"),
        pytest.param(lambda audit, older: older.replace(audit), id="replaced by an older copy"),
    ],
)
def test_next_line_tells_that_the_audit_was_replaced(tmp_path: Path, replace: Callable[[Path, Path], object]) -> None:
    with closing(open_store(tmp_path)) as store:
        enrol(store, "Alice")
        store.audit.flush()
        older = Path(shutil.copy(tmp_path / AUDIT_FILE, tmp_path / "older.sqlite"))
        enrol(store, "Bob", picture("d2"))
        store.audit.flush()
        replace(tmp_path / AUDIT_FILE, older)
        assert "the people store knows another line 2" in store.audit.check().problems[0]
        for name in ("Carol", "Dora"):
            store.people.rename("alice", name, REST_CALLER)
        assert actions(store, 3) == ["audit_replaced", "rename", "rename"]
        (line,) = [each for each in store.audit.read_lines(9) if each.action == "audit_replaced"]
        assert line.detail.startswith("the people store knows line 2, ")
        store.audit.record_events({AuditEvent(REST_CALLER, "login", "refused"): 1})
        assert actions(store).count("audit_replaced") == 1
        assert store.audit.check().problems == ()


def test_missing_key_is_replaced_and_the_next_line_tells(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).unlink()
    assert store.audit.check().problems == ("the key of the audit is missing: no line can be checked",)
    store.people.rename("alice", "Anna", REST_CALLER)
    assert actions(store, 2) == ["audit_new_key", "rename"]
    assert store.audit.check().problems == (
        "the lines 1 to 5 of the audit or the line before was changed or removed, or has another key",
    )


def test_lines_wait_while_the_key_is_damaged(store: SqliteStore, tmp_path: Path) -> None:
    key = (tmp_path / KEY_FILE).read_bytes()
    (tmp_path / KEY_FILE).write_bytes(b"short")
    store.people.rename("alice", "Anna", REST_CALLER)
    store.audit.flush()
    assert "has 5 bytes, and a key has 32" in store.audit.warnings[0]
    with pytest.raises(GatewayError, match="has 5 bytes"):
        store.audit.check()
    (tmp_path / KEY_FILE).write_bytes(key)
    assert actions(store, 1) == ["rename"]
    assert (store.audit.warnings, store.audit.check().problems) == ((), ())


VERSION_1 = """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, at REAL NOT NULL, door TEXT NOT NULL,
    action TEXT NOT NULL, person TEXT NOT NULL, pictures INTEGER NOT NULL, detail TEXT NOT NULL
);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_lasts BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
INSERT INTO audit VALUES (1, 'a', 1.5, 'mqtt:porch', 'add', 'aa', 2, ''), (2, 'b', 2.5, 'cli', 'backup', '', 0, 'x');
PRAGMA user_version = 1;
"""


def test_audit_of_version_1_gets_codes_and_keeps_its_lines(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / AUDIT_FILE)) as db:
        db.executescript(VERSION_1)
    with closing(open_store(tmp_path)) as store:
        enrol(store, "Alice")
        add, backup, old = store.audit.read_lines(9)
        assert (old.door, old.action, old.person, old.pictures, old.outcome) == ("mqtt:porch", "add", "aa", 2, "done")
        assert (backup.at, backup.detail, add.action, add.line) == (2.5, "x", "add", 3)
        assert (store.audit.check().lines, store.audit.check().problems) == (3, ())


def test_many_lines_are_bounded_and_stay_intact(store: SqliteStore) -> None:
    for round_ in range(3):
        events = {AuditEvent(camera_caller(f"camera{n}"), "enroll", "refused"): 1 for n in range(50)}
        store.audit.record_events(events)
        store.audit.delete_old_lines(AuditLimits(lines=20))
        lines = store.audit.read_lines(100)
        # The line about the deletion comes on top.
        assert len(lines) == 21
        assert lines[0].action == "audit_shortened"
        assert store.audit.check().problems == (), round_
    assert lines[0].line == 5 + 3 * 51
    assert lines[0].detail == "51 lines, up to line 137"


def test_lines_are_deleted_by_their_age(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    old = store.audit.read_head()
    assert old is not None
    now = time.time()
    for module in (audit_lines, audit_rows):
        set_clock(monkeypatch, module, time=lambda: now + 86_400 * 10)
    enrol(store, "Frank", picture("d9"))
    store.audit.flush()
    store.audit.delete_old_lines(AuditLimits(keep_days=30))
    assert len(store.audit.read_lines(9)) == 6
    store.audit.delete_old_lines(AuditLimits(keep_days=5))
    assert actions(store) == ["add", "audit_shortened"]
    # The end that was reported before the deletion counts as known.
    assert store.audit.check([old]).problems == ()
    store.audit.delete_old_lines(AuditLimits(keep_days=5))
    assert actions(store) == ["add", "audit_shortened"]


def test_all_lines_can_be_old(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for module in (audit_lines, audit_rows):
        set_clock(monkeypatch, module, time=lambda: now + 86_400 * 10)
    store.audit.delete_old_lines(AuditLimits(keep_days=5))
    assert actions(store) == ["audit_shortened"]
    assert (store.audit.check().lines, store.audit.check().problems) == (1, ())


def test_event_has_its_caller_its_number_and_the_random_id_of_its_person(store: SqliteStore) -> None:
    add = store.audit.read_lines(1)[0]
    phone = Caller("rest", "phone", "client")
    events = {
        AuditEvent(phone, "people/erase", "refused", "eve"): 7,
        AuditEvent(GATEWAY_CALLER, "login", "failed", "nobody", "192.168.0.9\n\ud800"): 1,
    }
    assert store.audit.record_events(events)
    login, erase = store.audit.read_lines(2)
    assert (erase.door, erase.actor, erase.role, erase.action) == ("rest:phone", "phone", "client", "people/erase")
    assert (erase.outcome, erase.times, erase.person, erase.name) == ("refused", 7, add.person, "Eve")
    assert (login.person, login.name, login.detail) == ("", None, "192.168.0.9\\n\\ud800")
    assert store.audit.check().problems == ()


def test_name_is_joined_while_the_person_exists(store: SqliteStore) -> None:
    assert {line.name for line in store.audit.read_lines(9)} == {*NAMES}
    store.people.rename("alice", "Anna", REST_CALLER)
    store.people.remove("bob", REST_CALLER)
    assert {line.name for line in store.audit.read_lines(9)} == {"Anna", "Carol", "Dora", "Eve", None}
