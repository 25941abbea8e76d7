"""The limit of failed log-ins by address."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gateway.errors import TooManyLogins
from gateway.metrics import Metrics
from gateway.rest.access.client import Client
from gateway.rest.access.failed_logins import (
    MAX_ADDRESSES,
    MAX_FAILURES,
    MAX_REPORTS,
    WINDOW_S,
    FailedLogin,
    FailedLogins,
    log_failure,
)


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
        self.reports: list[FailedLogin] = []
        self.logins = FailedLogins(self.metrics, self.reports.append, self.clock)

    def fail(self, address: str | None, times: int = MAX_FAILURES) -> None:
        for _ in range(times):
            self.logins.check(client(address))
            self.logins.record(client(address), "unknown token")

    def is_limited(self, address: str | None) -> bool:
        try:
            self.logins.check(client(address))
        except TooManyLogins:
            return True
        return False


def test_address_is_limited_after_too_many_failures_and_free_again_later() -> None:
    failures = Failures()
    failures.fail("192.168.1.7")
    with pytest.raises(TooManyLogins, match=r"from 192\.168\.1\.7 failed within 60 s: wait") as refusal:
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


def test_all_failures_are_counted_and_a_bounded_number_is_reported() -> None:
    failures = Failures()
    for n in range(200):
        failures.fail(f"10.0.0.{n}", times=1)
    assert failures.metrics.snapshot()["logins_failed"] == 200
    assert len(failures.reports) == MAX_REPORTS
    failures.clock.now += WINDOW_S
    failures.fail("10.0.1.1", times=1)
    assert failures.reports[-1] == FailedLogin("10.0.1.1", "unknown token", suppressed=200 - MAX_REPORTS)


def test_refusals_by_the_limit_are_counted_too() -> None:
    failures = Failures()
    failures.fail("10.0.0.1")
    assert failures.is_limited("10.0.0.1")
    assert failures.metrics.snapshot()["logins_failed"] == MAX_FAILURES + 1


def test_log_line_names_the_address(caplog: pytest.LogCaptureFixture) -> None:
    log_failure(FailedLogin("10.0.0.1", "unknown token", 0))
    log_failure(FailedLogin("10.0.0.1", "unknown token", 7))
    assert caplog.messages == [
        "a log-in from 10.0.0.1 failed: unknown token",
        "a log-in from 10.0.0.1 failed: unknown token (7 more since the last such line)",
    ]
