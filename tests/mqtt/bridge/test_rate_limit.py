"""Rate limits for messages that anybody may cause."""

from __future__ import annotations

import pytest

from gateway.mqtt.bridge import rate_limit
from gateway.mqtt.bridge.rate_limit import RateLimit, RateLimitByName
from tests.support import set_clock


def test_limit_by_name_bounds_each_name_and_the_number_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    set_clock(monkeypatch, rate_limit, monotonic=lambda: now)
    limit = RateLimitByName(2, 3)
    assert [limit.allows(name) for name in "aaabcd"] == [True, True, False, True, True, False]
    now += 1.0
    assert limit.allows("d")
    assert limit.allows("a")


def test_rate_limit_allows_more_events_after_its_time() -> None:
    limit = RateLimit(2, 1000.0)
    assert [limit.allows() for _ in range(4)] == [True, True, False, False]
    assert [RateLimit(1, 0.0).allows() for _ in range(2)] == [True, True]
