"""The limit of failed log-ins by address."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gateway.errors import TooManyAttempts
from gateway.metrics import Metrics
from gateway.model.audit import AuditEvent
from gateway.model.caller import UNKNOWN_REST_CALLER
from gateway.rest.access.client import Client
from gateway.rest.access.failed_logins import (
    MAX_ADDRESSES,
    MAX_FAILURES,
    MAX_LOGGED,
    WINDOW_S,
    FailedLogins,
)
from gateway.rest.access.login_audit import INTERVAL_S
from gateway.rest.access.login_audit import MAX_ADDRESSES as MAX_NAMED


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def client(address: str | None) -> Client:
    return Client(ip_address(address) if address else None, False, False, False)


class Failures:
    """The failures with a clock of their own."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.metrics = Metrics()
        self.events: list[AuditEvent] = []
        self.logins = FailedLogins(self.metrics, self.events.append, self.clock)

    def fail(self, address: str | None, times: int = MAX_FAILURES) -> None:
        for _ in range(times):
            self.logins.check(client(address))
            self.logins.record(client(address), "unknown token")

    def is_limited(self, address: str | None) -> bool:
        try:
            self.logins.check(client(address))
        except TooManyAttempts:
            return True
        return False


def test_address_is_limited_after_too_many_failures_and_free_again_later() -> None:
    failures = Failures()
    failures.fail("192.168.1.7")
    with pytest.raises(TooManyAttempts, match=r"from 192\.168\.1\.7 failed within 60 s: wait") as refusal:
        failures.logins.check(client("192.168.1.7"))
    assert refusal.value.retry_after == WINDOW_S + 1
    assert not failures.is_limited("192.168.1.8")
    failures.clock.now += WINDOW_S
    assert not failures.is_limited("192.168.1.7")


def test_refused_attempts_do_not_make_the_wait_longer() -> None:
    failures = Failures()
    failures.fail("192.168.1.7")
    for _ in range(100):
        failures.clock.now += WINDOW_S / 100
        failures.is_limited("192.168.1.7")
    failures.clock.now += 0.1
    assert not failures.is_limited("192.168.1.7")


def test_addresses_of_one_ipv6_site_count_together() -> None:
    failures = Failures()
    for n in range(MAX_FAILURES):
        failures.fail(f"2001:db8::{n + 1:x}:1", times=1)
    assert failures.is_limited("2001:db8::ffff")
    assert not failures.is_limited("2001:db8:0:1::1")


def test_unknown_addresses_count_together() -> None:
    failures = Failures()
    failures.fail(None)
    assert failures.is_limited(None)
    assert not failures.is_limited("192.168.1.7")


def test_number_of_remembered_addresses_is_bounded() -> None:
    failures = Failures()
    failures.fail("192.168.1.7")
    for n in range(MAX_ADDRESSES - 1):
        failures.fail(str(ip_address(0x0A000000 + n)), times=1)
    assert failures.is_limited("192.168.1.7")
    failures.fail("172.16.0.1", times=1)
    # The address with the oldest window made room.
    assert not failures.is_limited("192.168.1.7")
    assert len(failures.logins._windows) == MAX_ADDRESSES


def test_all_failures_are_counted_and_a_bounded_number_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    failures = Failures()
    for n in range(200):
        failures.fail(f"10.0.0.{n}", times=1)
    assert failures.metrics.snapshot()["logins_failed"] == len(failures.events) == 200
    assert len(caplog.messages) == MAX_LOGGED + 1
    assert caplog.messages[0] == "a log-in from 10.0.0.0 failed: unknown token"
    assert "further ones are only counted" in caplog.messages[-1]
    failures.clock.now += WINDOW_S
    failures.fail("10.0.1.1", times=1)
    assert caplog.messages[-1] == "a log-in from 10.0.1.1 failed: unknown token"


def test_audit_names_a_bounded_number_of_addresses() -> None:
    """More addresses would use up the kinds of events that get lines of their own."""
    failures = Failures()
    for n in range(200):
        failures.fail(f"10.0.0.{n}", times=1)
    failures.fail("10.0.0.1", times=1)
    details = [event.detail for event in failures.events]
    assert len(set(details)) == MAX_NAMED + 1
    assert details[0] == "10.0.0.0: unknown token"
    assert details[199:] == ["other addresses: unknown token", "10.0.0.1: unknown token"]
    failures.clock.now += INTERVAL_S
    failures.fail("10.0.0.199", times=1)
    assert failures.events[-1] == AuditEvent(
        UNKNOWN_REST_CALLER, "login", "refused", detail="10.0.0.199: unknown token"
    )


def test_one_ipv6_site_displaces_no_address_of_others() -> None:
    """Regression: a sender with 20 addresses of its own network hid the addresses of all others for an hour."""
    failures = Failures()
    for n in range(1, 200):
        failures.fail(f"2001:db8::{n:x}", times=1)
        failures.clock.now += WINDOW_S / 5
    failures.fail("10.0.0.1", times=1)
    assert {event.detail for event in failures.events} == {"2001:db8::1: unknown token", "10.0.0.1: unknown token"}


def test_refusals_by_the_limit_are_counted_too() -> None:
    failures = Failures()
    failures.fail("10.0.0.1")
    assert failures.is_limited("10.0.0.1")
    assert failures.metrics.snapshot()["logins_failed"] == MAX_FAILURES + 1
