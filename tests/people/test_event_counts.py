"""Floods of events become few lines of the audit."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.live.switch_events import ALL_CAMERAS_DETAIL
from gateway.model.audit import AuditEvent
from gateway.model.caller import SWITCH_CALLER, Caller, camera_caller
from gateway.people import event_counts
from gateway.people.event_counts import (
    MAX_KINDS_PER_CALLER,
    MAX_KINDS_PER_GROUP,
    MAX_PLACES,
    OTHERS,
    REPEAT_INTERVAL_S,
    EventCounts,
)

PHONE = Caller("rest", "phone", "client")
ERASE = AuditEvent(PHONE, "people/erase", "refused", "alice")


class AuditRecord:
    """An audit that stores what is written, and may be unusable."""

    def __init__(self) -> None:
        self.lines: list[tuple[AuditEvent, int]] = []
        self.usable = True

    def write(self, events: Mapping[AuditEvent, int]) -> bool:
        if self.usable:
            self.lines += events.items()
        return self.usable


class Clock:
    """The time of the module ``event_counts``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(event_counts, "time", clock)
    return clock


def test_first_event_has_a_line_and_a_flood_has_one_line_an_hour(clock: Clock) -> None:
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    for _ in range(20_000):
        counts.record(ERASE)
        if len(audit.lines) == 0:
            counts.write_due()
    counts.write_due()
    assert audit.lines == [(ERASE, 1)]
    clock.now += REPEAT_INTERVAL_S
    counts.write_due()
    counts.write_due()
    assert audit.lines[1:] == [(ERASE, 19_999)]


def test_event_after_a_quiet_hour_is_a_first_one(clock: Clock) -> None:
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    for _ in range(3):
        counts.record(ERASE)
        counts.write_due()
        clock.now += REPEAT_INTERVAL_S + 1
        counts.write_due()
    assert audit.lines == [(ERASE, 1)] * 3


def test_many_different_events_are_counted_together(clock: Clock) -> None:
    """An open broker lets a client choose endless names of cameras."""
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    for number in range(5_000):
        counts.record(AuditEvent(camera_caller(f"camera{number}"), "enroll", "refused", f"person{number}"))
    counts.write_due()
    assert len(audit.lines) == MAX_KINDS_PER_GROUP + 1
    others = AuditEvent(Caller("mqtt", None, "camera"), OTHERS, "refused")
    assert audit.lines[-1] == (others, 5_000 - MAX_KINDS_PER_GROUP)
    clock.now += REPEAT_INTERVAL_S
    counts.write_due()
    counts.record(ERASE)
    counts.write_due()
    assert audit.lines[-1] == (ERASE, 1)


def test_flood_of_one_caller_displaces_no_event_of_others(clock: Clock) -> None:
    """Regression: refusals for 100 ids turned those of others, and failed log-ins, into one line without a name."""
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    for number in range(5_000):
        counts.record(AuditEvent(PHONE, "people/erase", "refused", f"person{number}"))
    displaced = [
        AuditEvent(Caller("rest", "tablet", "client"), "people/erase", "refused", "alice"),
        AuditEvent(Caller("rest", None, "nobody"), "login", "refused", detail="192.0.2.1: unknown token"),
        AuditEvent(camera_caller("porch"), "enroll", "refused", "alice"),
    ]
    for event in displaced:
        counts.record(event)
    counts.write_due()
    assert audit.lines[MAX_KINDS_PER_CALLER:] == [
        (AuditEvent(PHONE, OTHERS, "refused"), 5_000 - MAX_KINDS_PER_CALLER),
        *((event, 1) for event in displaced),
    ]


def test_made_up_cameras_displace_no_refusal_of_a_real_one(clock: Clock) -> None:
    """Regression: made-up names used up the kinds of all cameras, and a refused camera had no line with its name."""
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    real = [f"camera{number}" for number in range(2 * MAX_KINDS_PER_GROUP)]
    counts.keep_places(["porch", *real])
    for number in range(5_000):
        counts.record(AuditEvent(camera_caller(f"made_up{number}"), "enroll", "refused"))
    refusals = [AuditEvent(camera_caller("porch"), "enroll", "refused", "alice")]
    refusals += [AuditEvent(camera_caller(name), "enroll", "refused") for name in real]
    for event in refusals:
        counts.record(event)
    counts.write_due()
    lines = audit.lines[MAX_KINDS_PER_GROUP:]
    assert lines[0] == (AuditEvent(Caller("mqtt", None, "camera"), OTHERS, "refused"), 5_000 - MAX_KINDS_PER_GROUP)
    assert lines[1 : MAX_KINDS_PER_GROUP + 1] == [(event, 1) for event in refusals[:MAX_KINDS_PER_GROUP]]
    # Beyond the limit of their group too, each real camera has a line with its name.
    beyond = [AuditEvent(each.caller, OTHERS, "refused") for each in refusals[MAX_KINDS_PER_GROUP:]]
    assert lines[MAX_KINDS_PER_GROUP + 1 :] == [(event, 1) for event in beyond]


def test_real_camera_is_not_switched_off_behind_made_up_names(clock: Clock) -> None:
    """Regression: after 60 switches of made-up cameras, no line named the camera that was switched off."""
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    real = [ALL_CAMERAS_DETAIL, *(f"camera{number}" for number in range(MAX_KINDS_PER_GROUP))]
    counts.keep_places(real)
    for number in range(5_000):
        counts.record(AuditEvent(SWITCH_CALLER, "cameras/disable", "done", detail=f"made_up{number}"))
    for camera in real:
        counts.record(AuditEvent(SWITCH_CALLER, "cameras/disable", "done", detail=camera))
    counts.write_due()
    lines = [(event.action, event.detail) for event, _ in audit.lines[MAX_KINDS_PER_GROUP:]]
    named = [("cameras/disable", camera) for camera in real[:MAX_KINDS_PER_GROUP]]
    assert lines == [(OTHERS, ""), *named, (OTHERS, real[-1])]


def test_number_of_cameras_with_a_place_is_bounded() -> None:
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    counts.keep_places(f"camera{number}" for number in range(MAX_PLACES + 5_000))
    for number in range(MAX_PLACES + 5_000):
        counts.record(AuditEvent(camera_caller(f"camera{number}"), "enroll", "refused"))
    counts.write_due()
    # All that have a place, and of the others those within the limit of their group and the one line after it.
    assert len(audit.lines) == MAX_PLACES + MAX_KINDS_PER_GROUP + 1


def test_callers_get_their_shares_back_after_an_hour(clock: Clock) -> None:
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    for _ in range(2):
        audit.lines.clear()
        for number in range(MAX_KINDS_PER_CALLER):
            counts.record(AuditEvent(PHONE, "people/erase", "refused", f"person{number}"))
        counts.write_due()
        assert [event.action for event, _ in audit.lines] == ["people/erase"] * MAX_KINDS_PER_CALLER
        clock.now += REPEAT_INTERVAL_S
        counts.write_due()


def test_events_wait_while_the_audit_cannot_be_written(clock: Clock) -> None:
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    audit.usable = False
    counts.record(ERASE)
    counts.write_due()
    counts.record(ERASE)
    audit.usable = True
    counts.write_due()
    assert audit.lines == [(ERASE, 2)]


def test_counts_are_written_before_the_end(clock: Clock) -> None:
    audit = AuditRecord()
    counts = EventCounts(audit.write)
    counts.record(ERASE)
    counts.write_due()
    counts.record(ERASE)
    counts.write_all()
    counts.write_all()
    assert audit.lines == [(ERASE, 1), (ERASE, 1)]
