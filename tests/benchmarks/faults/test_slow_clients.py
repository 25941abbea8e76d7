"""The arithmetic of the test with slow clients: the moments of requests, and the percentiles of all rounds."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.faults.sender import Tally, moments
from benchmarks.faults.slow_clients import ratio_range


def test_each_request_of_a_rate_has_its_own_interval() -> None:
    sent = list(moments(rate=10.0, seconds=5.0))
    assert [int(10 * each) for each in sent] == list(range(50))
    # At equal distances, two senders with the same rate would meet always or never.
    assert len({round(later - earlier, 6) for earlier, later in pairwise(sent)}) > 40


def test_clients_share_the_intervals_of_a_rate() -> None:
    sent = sorted(each for client in range(3) for each in moments(10.0, 5.0, client, clients=3))
    assert [int(10 * each) for each in sent] == list(range(50))


def test_range_of_a_ratio_becomes_narrower_with_more_requests() -> None:
    few, many = ([n / size for n in range(1, size + 1)] for size in (20, 2_000))
    wide, narrow = (ratio_range(Tally(latencies=each), Tally(latencies=[2 * n for n in each])) for each in (few, many))
    assert wide[0] < narrow[0] < 2.0 < narrow[1] < wide[1]
