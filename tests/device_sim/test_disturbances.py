from __future__ import annotations

import random
from collections import Counter

import pytest

from device_sim.disturbances import Disturbances


def lengths(disturbances: Disturbances) -> Counter[int]:
    """Count the copies of 10,000 pictures."""
    return Counter(len(disturbances.delays(1)) for _ in range(10_000))


def test_undisturbed_pictures_are_sent_once_and_immediately() -> None:
    assert {tuple(Disturbances().delays(1)) for _ in range(100)} == {(0.0,)}
    assert Disturbances().skewed(0.1) == 0.1


def test_pictures_are_lost_and_doubled_by_their_shares() -> None:
    copies = lengths(Disturbances(loss=0.2, duplicates=0.25, random=random.Random(1)))
    assert copies[0] / 10_000 == pytest.approx(0.2, abs=0.02)
    assert copies[2] / 10_000 == pytest.approx(0.8 * 0.25, abs=0.02)


def test_jitter_delays_by_up_to_its_time() -> None:
    disturbances = Disturbances(jitter=0.3, random=random.Random(1))
    delays = [disturbances.delays(1)[0] for _ in range(1000)]
    assert 0 <= min(delays) < 0.01
    assert 0.29 < max(delays) <= 0.3


def test_overtaken_picture_comes_after_the_next_one() -> None:
    (delay,) = Disturbances(reordering=1).delays(0.5)
    assert 0.5 < delay < 1


def test_clock_skew_gives_each_camera_a_period_of_its_own() -> None:
    disturbances = Disturbances(clock_skew=0.05, random=random.Random(1))
    periods = {disturbances.skewed(1) for _ in range(50)}
    assert len(periods) == 50
    assert 0.95 <= min(periods) < max(periods) <= 1.05


def test_same_seed_disturbs_in_the_same_way() -> None:
    first, second = (Disturbances(loss=0.5, jitter=1, random=random.Random(7)) for _ in range(2))
    assert [first.delays(1) for _ in range(50)] == [second.delays(1) for _ in range(50)]
