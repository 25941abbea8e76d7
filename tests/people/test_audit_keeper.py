"""The keeper of the audit, on a real store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.model.audit import AuditEvent
from gateway.model.caller import REST_CALLER
from gateway.people import audit_keeper
from gateway.people.audit_keeper import REPORT_INTERVAL_S, TIDY_INTERVAL_S, AuditKeeper
from gateway.store.audit_records import parse_head
from gateway.store.limits import AuditLimits
from gateway.store.sqlite.audit_file import AUDIT_FILE
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, open_environment, sample
from tests.support import wait_for


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(audit_keeper, "time", clock)
    return clock


def enrol(env: PeopleEnvironment) -> None:
    env.registry.enrol("Alice", [sample("alice1", descriptor(1))], REST_CALLER)


def test_end_is_reported_at_the_start_and_once_a_day(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with open_environment(tmp_path) as env:
        enrol(env)
        keeper = AuditKeeper(env.store.audit, AuditLimits())
        keeper.run_due()
        assert keeper.head is not None
        assert keeper.head in caplog.text
        first = parse_head(keeper.head)
        env.registry.rename("alice", "Anna", REST_CALLER)
        keeper.run_due()
        assert parse_head(keeper.head) == first
        clock.now += REPORT_INTERVAL_S + 1
        keeper.run_due()
        assert parse_head(keeper.head).line == first.line + 1
        assert keeper.warnings == ()


def test_tampered_audit_is_a_warning(tmp_path: Path, clock: Clock) -> None:
    with open_environment(tmp_path) as env:
        enrol(env)
        keeper = AuditKeeper(env.store.audit, AuditLimits())
        with closing(sqlite3.connect(tmp_path / AUDIT_FILE)) as db:
            db.executescript("DROP TRIGGER audit_stays; UPDATE audit SET action = 'rename'")
        keeper.run_due()
        (warning,) = keeper.warnings
        assert warning.startswith("line 1 of the audit")
        assert warning.endswith("run `facegate audit verify`")


def test_flood_does_not_grow_the_audit_over_its_limit(tmp_path: Path, clock: Clock) -> None:
    with open_environment(tmp_path) as env:
        keeper = AuditKeeper(env.store.audit, AuditLimits(lines=30))
        for _ in range(3):
            for number in range(200):
                keeper.events.record(AuditEvent(REST_CALLER, f"action{number}", "refused"))
            keeper.events.write_all()
            clock.now += TIDY_INTERVAL_S + 1
            keeper.run_due()
            # The line about the deletion comes on top.
            assert len(env.store.audit.read_lines(1000)) == 31


def test_thread_writes_events_and_the_last_ones_when_it_stops(tmp_path: Path) -> None:
    event = AuditEvent(REST_CALLER, "login", "refused")
    with open_environment(tmp_path) as env:
        env.people.audit.start()
        env.people.audit.events.record(event)
        wait_for(lambda: [line.action for line in env.store.audit.read_lines(9)] == ["login"])
        env.people.audit.events.record(event)
        env.people.audit.events.record(event)
        env.people.audit.stop()
        assert [line.times for line in env.store.audit.read_lines(9)] == [2, 1]
