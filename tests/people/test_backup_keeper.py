"""The keeper of the backups, on a real store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from time import struct_time

import pytest

from gateway.model.caller import REST_CALLER
from gateway.people import backup_keeper
from gateway.people.backup_keeper import BackupKeeper, BackupRules
from gateway.store.sqlite import backup_folder, backups
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, open_environment, sample
from tests.support import wait_for

DAY_S = 86_400.0


class Clock:
    """The time of day of the keeper and of the store."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now

    def localtime(self, seconds: float) -> struct_time:
        return time.localtime(seconds)

    def strftime(self, pattern: str, moment: struct_time | None = None) -> str:
        return time.strftime(pattern, moment or time.localtime(self.now))

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(backup_keeper, "time", clock)
    monkeypatch.setattr(backups, "time", clock)
    monkeypatch.setattr(backup_folder, "time", clock)
    return clock


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    with open_environment(tmp_path) as env:
        yield env


def enrol(env: PeopleEnvironment, name: str = "Alice") -> None:
    env.registry.enrol(name, [sample(name, descriptor(len(name)))], REST_CALLER)


def names(env: PeopleEnvironment) -> list[str]:
    return sorted(path.name for path in (env.data / "backups").glob("*.sqlite"))


def test_backup_is_made_once_a_day_and_only_after_a_change(env: PeopleEnvironment, clock: Clock) -> None:
    keeper = BackupKeeper(env.store, BackupRules(every_h=24))
    keeper.run_due()
    assert names(env) == []
    enrol(env)
    keeper.run_due()
    first = names(env)
    assert len(first) == 1
    assert first[0].startswith("automatic-")
    # The change of the same day waits, and a day without a change needs no backup.
    enrol(env, "Bob")
    keeper.run_due()
    assert names(env) == first
    clock.now += DAY_S + 1
    keeper.run_due()
    assert len(names(env)) == 2
    clock.now += 30 * DAY_S
    keeper.run_due()
    assert len(names(env)) == 2


def test_audit_names_the_gateway_and_the_backup(env: PeopleEnvironment, clock: Clock) -> None:
    enrol(env)
    BackupKeeper(env.store, BackupRules()).run_due()
    line = env.store.audit.read_lines(1)[0]
    assert (line.action, line.door, line.detail) == ("backup", "gateway", names(env)[0])


def test_time_without_a_backup_is_reported(env: PeopleEnvironment, clock: Clock) -> None:
    keeper = BackupKeeper(env.store, BackupRules(every_h=0))
    keeper.run_due()
    assert keeper.pending_s == 0
    enrol(env)
    keeper.run_due()
    clock.now += 100
    keeper.run_due()
    assert keeper.pending_s == pytest.approx(100)
    env.store.backups.make()
    keeper.run_due()
    assert keeper.pending_s == 0
    clock.now += 7
    enrol(env, "Bob")
    keeper.run_due()
    assert keeper.pending_s == pytest.approx(7)


def test_only_old_backups_of_the_gateway_itself_are_deleted(env: PeopleEnvironment, clock: Clock) -> None:
    keeper = BackupKeeper(env.store, BackupRules(keep=2))
    enrol(env)
    mine = env.store.backups.make()
    other = env.data / "backups" / "automatic-anna.sqlite"
    shutil.copy(mine, other)
    made = []
    for name in ("Bob", "Carla", "Dietrich"):
        clock.now += DAY_S + 1
        enrol(env, name)
        keeper.run_due()
        made.append(max(each for each in names(env) if each.startswith("automatic-2")))
    assert names(env) == sorted([*made[1:], mine.name, other.name])


def test_clock_that_was_wrong_does_not_stop_the_backups(env: PeopleEnvironment, clock: Clock) -> None:
    keeper = BackupKeeper(env.store, BackupRules())
    enrol(env)
    clock.now += 3650 * DAY_S
    keeper.run_due()
    clock.now -= 3650 * DAY_S
    enrol(env, "Bob")
    keeper.run_due()
    assert len(names(env)) == 2
    assert keeper.pending_s == 0


@pytest.mark.parametrize("years", [10, -30])
def test_backups_of_a_wrong_clock_displace_no_later_ones(env: PeopleEnvironment, clock: Clock, years: int) -> None:
    keeper = BackupKeeper(env.store, BackupRules(keep=3))
    right = clock.now
    clock.now += years * 365 * DAY_S
    for name in ("Alice", "Bob", "Carla"):
        enrol(env, name)
        keeper.run_due()
        clock.now += DAY_S + 1
    wrong = set(names(env))
    assert len(wrong) == 3
    clock.now = right
    made: list[str] = []
    for name in ("Dietrich", "Ernestine", "Friederike", "Gwendolyn"):
        enrol(env, name)
        keeper.run_due()
        (new,) = set(names(env)) - wrong - set(made)
        made.append(new)
        assert len(names(env)) == 3
        assert keeper.pending_s == 0
        clock.now += DAY_S + 1
    assert names(env) == made[1:]


@pytest.fixture
def set_zone() -> Iterator[Callable[[str], None]]:
    """A function that sets the time zone of this process, until the end of the test."""
    with pytest.MonkeyPatch.context() as patch:

        def set_zone(zone: str) -> None:
            patch.setenv("TZ", zone)
            time.tzset()

        yield set_zone
    time.tzset()


@pytest.mark.parametrize(("before", "after"), [("CET-1CEST", "UTC0"), ("FIRST-14", "LAST+12"), ("LAST+12", "FIRST-14")])
def test_change_of_the_time_zone_makes_no_backup_the_oldest(
    env: PeopleEnvironment, clock: Clock, set_zone: Callable[[str], None], before: str, after: str
) -> None:
    """Regression: the newest backups were of the future in the new zone, and were deleted first."""
    backups = env.store.backups
    set_zone(before)
    made = []
    for _ in range(3):
        made.append(backups.make(backups.free_path(automatic=True)))
        clock.now += 2 * DAY_S
    clock.now += 60 - 2 * DAY_S
    set_zone(after)
    new = backups.make(backups.free_path(automatic=True))
    backups.delete_old(3, new)
    assert names(env) == sorted(path.name for path in (*made[1:], new))


def test_folder_and_links_of_such_names_are_not_deleted(env: PeopleEnvironment, clock: Clock) -> None:
    """Regression: the first of them stopped the deletion of all others."""
    backups, folder = env.store.backups, env.data / "backups"
    first = backups.make(backups.free_path(automatic=True))
    kept = [folder / f"automatic-2020010{day}-120000.sqlite" for day in range(1, 5)]
    kept[0].mkdir()
    kept[1].symlink_to(env.data / "people.sqlite")
    kept[2].hardlink_to(env.data / "people.sqlite")
    kept[3].symlink_to(env.data / "absent")
    first.with_name(f"{first.name}-journal").mkdir()
    clock.now += DAY_S
    second = backups.make(backups.free_path(automatic=True))
    backups.delete_old(1, second)
    assert names(env) == sorted(path.name for path in (*kept, second))


def test_new_backup_stays_while_the_clock_is_in_the_past(env: PeopleEnvironment, clock: Clock) -> None:
    """A Raspberry Pi has no clock of its own: after a power cut its time is in the past."""
    keeper = BackupKeeper(env.store, BackupRules(keep=2))
    for name in ("Alice", "Bob"):
        enrol(env, name)
        keeper.run_due()
        clock.now += DAY_S + 1
    before = names(env)
    clock.now -= 30 * 365 * DAY_S
    enrol(env, "Carla")
    keeper.run_due()
    (new,) = set(names(env)) - set(before)
    assert names(env) == [new, before[1]]


def test_backups_of_one_second_are_deleted_in_their_order(env: PeopleEnvironment, clock: Clock) -> None:
    store = env.store.backups
    paths = [store.make(store.free_path(automatic=True)) for _ in range(11)]
    store.delete_old(3, paths[-1])
    assert names(env) == sorted(path.name for path in paths[-3:])


def test_time_since_a_backup_of_the_future_is_reported(env: PeopleEnvironment, clock: Clock) -> None:
    keeper = BackupKeeper(env.store, BackupRules(every_h=0))
    clock.now += 3650 * DAY_S
    env.store.backups.make()
    clock.now -= 3650 * DAY_S
    enrol(env)
    keeper.run_due()
    clock.now += 100
    keeper.run_due()
    assert keeper.pending_s == pytest.approx(100)


@pytest.mark.parametrize("note", ["", "{", "[]", '{"at": "today"}', '{"at": NaN}', '{"revision": null}', b"\xff"])
def test_damaged_note_counts_as_none_and_is_logged_once(
    env: PeopleEnvironment, clock: Clock, caplog: pytest.LogCaptureFixture, note: str | bytes
) -> None:
    enrol(env)
    keeper = BackupKeeper(env.store, BackupRules())
    keeper.run_due()
    with env.store.database.transaction() as db:
        db.execute("UPDATE meta SET value = ? WHERE key = 'backups'", (note,))
    assert env.store.backups.read_state().changed
    env.store.backups.read_state()
    keeper.run_due()
    assert keeper.warnings == ()
    assert (len(names(env)), env.store.backups.read_state().changed) == (2, False)
    assert sum("note about the last backups is damaged" in each for each in caplog.messages) == 1


def test_store_without_a_revision_is_a_warning(env: PeopleEnvironment, clock: Clock) -> None:
    keeper = BackupKeeper(env.store, BackupRules())
    with env.store.database.transaction() as db:
        db.execute("UPDATE meta SET value = 'x' WHERE key = 'revision'")
    keeper.run_due()
    (warning,) = keeper.warnings
    assert "cannot make its backup in data/backups: the people store: it is damaged: its revision" in warning


def test_bug_in_the_making_of_a_backup_is_a_warning(
    env: PeopleEnvironment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(env)
    keeper = BackupKeeper(env.store, BackupRules())
    # A bug that is known would be mended: only a made one can stand for the others.
    with monkeypatch.context() as broken:
        broken.setattr(clock, "strftime", None)
        with pytest.raises(TypeError):
            keeper.run_due()
    assert "by a bug in the gateway" in keeper.warnings[0]
    keeper.run_due()
    assert keeper.warnings == ()


def test_backup_that_would_fill_the_disk_is_a_warning_and_deletes_nothing(
    env: PeopleEnvironment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = BackupKeeper(env.store, BackupRules(keep=1))
    enrol(env)
    keeper.run_due()
    before = names(env)
    clock.now += DAY_S + 1
    enrol(env, "Bob")
    # A disk that is really full would disturb everything else on this machine. Other programs may free space meanwhile.
    with monkeypatch.context() as full:
        full.setattr(backups, "LOW_DISK_BYTES", shutil.disk_usage(env.data).total)
        keeper.run_due()
    assert "delete what is not needed" in keeper.warnings[0]
    assert names(env) == before
    assert keeper.pending_s > DAY_S
    keeper.run_due()
    assert (keeper.warnings, keeper.pending_s, len(names(env))) == ((), 0, 1)
    assert names(env) != before


def test_erasure_reaches_the_backups_of_the_gateway(env: PeopleEnvironment, clock: Clock) -> None:
    enrol(env)
    BackupKeeper(env.store, BackupRules()).run_due()
    path = env.data / "backups" / names(env)[0]
    assert b"Alice" in path.read_bytes()
    env.registry.erase("alice", REST_CALLER)
    assert b"Alice" not in path.read_bytes()


def test_thread_makes_the_backup_by_itself(env: PeopleEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_keeper, "POLL_INTERVAL_S", 0.02)
    enrol(env)
    keeper = BackupKeeper(env.store, BackupRules())
    keeper.start()
    try:
        wait_for(lambda: names(env))
    finally:
        keeper.stop()
