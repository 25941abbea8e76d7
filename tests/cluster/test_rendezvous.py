"""Rendezvous hashing of cameras over replicas."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cluster.rendezvous import find_favourite

CAMERAS = [f"cam{n}" for n in range(3000)]


def owners(replicas: list[str]) -> dict[str, str | None]:
    return {camera: find_favourite(camera, replicas) for camera in CAMERAS}


@pytest.mark.parametrize("count", [2, 3, 10])
def test_cameras_are_spread_evenly(count: int) -> None:
    share = len(CAMERAS) / count
    counts = Counter(owners([f"replica{n}" for n in range(count)]).values())
    # Five standard deviations of a fair draw.
    spread = 5 * (share * (1 - 1 / count)) ** 0.5
    assert len(counts) == count
    assert all(abs(found - share) < spread for found in counts.values()), counts


@pytest.mark.parametrize("gone", ["a", "b", "c", "d"])
def test_only_cameras_of_a_removed_replica_move(gone: str) -> None:
    before = owners(["a", "b", "c", "d"])
    after = owners([each for each in "abcd" if each != gone])
    moved = {camera for camera in CAMERAS if before[camera] != after[camera]}
    assert moved == {camera for camera, owner in before.items() if owner == gone}


def test_added_replica_only_takes_cameras() -> None:
    before, after = owners(["a", "b"]), owners(["a", "b", "c"])
    assert {after[camera] for camera in CAMERAS if before[camera] != after[camera]} == {"c"}


# A busy machine may stop for longer than Hypothesis allows one example.
@settings(deadline=None)
@given(st.sets(st.text("abcdef0123456789", min_size=1), max_size=6), st.text("abc", min_size=1))
def test_favourite_does_not_depend_on_the_order(replicas: set[str], camera: str) -> None:
    assert len({find_favourite(camera, sorted(replicas, reverse=back)) for back in (False, True)}) == 1


def test_no_replica_is_no_favourite() -> None:
    assert find_favourite("porch", []) is None


@pytest.mark.slow
def test_other_processes_find_the_same_favourites() -> None:
    code = (
        "from gateway.cluster.rendezvous import find_favourite;"
        "print(*(find_favourite(f'cam{n}', ['a', 'b', 'c']) for n in range(50)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert found == [find_favourite(f"cam{n}", ["c", "b", "a"]) for n in range(50)]
