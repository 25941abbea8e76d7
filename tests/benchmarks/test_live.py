from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from benchmarks.live import thousand
from benchmarks.live.latency import Visits
from benchmarks.live.looking import Looked, appearances, bench_worker, missed
from benchmarks.live.scenes import NOISY, Picture, encode, noisy_walk, still, walk
from benchmarks.live.thousand import Answers, Samples
from gateway.model import Box, Search

BOX = Box(10, 10, 50, 50)


@pytest.fixture(scope="module")
def picture() -> Picture:
    random = np.random.default_rng(1)
    return np.kron(random.integers(60, 180, (18, 32, 3), dtype=np.uint8), np.ones((20, 20, 1), np.uint8))


@pytest.fixture(scope="module")
def head() -> Picture:
    return np.full((60, 50, 3), 220, np.uint8)


@pytest.mark.parametrize("name", NOISY)
def test_noisy_scene_is_the_same_each_time_and_changes(name: str, picture: Picture) -> None:
    first, again = ([*islice(NOISY[name](picture, np.random.default_rng(3)), 62)] for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[61])
    assert first[0].shape == picture.shape


def test_still_scene_does_not_change(picture: Picture) -> None:
    one, other = islice(still(picture, np.random.default_rng(1)), 2)
    assert one is other


def test_walker_comes_and_goes(picture: Picture, head: Picture) -> None:
    frames = list(islice(walk(picture, head, np.random.default_rng(1)), 100))
    changed = [bool((frame != picture).any()) for frame in frames]
    assert changed[30]
    assert not any(changed[60:])


def test_noisy_walk_is_empty_at_first(picture: Picture, head: Picture) -> None:
    frames = [*islice(noisy_walk(picture, head, NOISY["noise"], np.random.default_rng(1), 5), 36)]
    there = [np.abs(frame.astype(int) - picture).mean() for frame in frames]
    assert max(there[:5]) < there[35]


def test_appearances_follow_a_face_over_short_gaps() -> None:
    frames = [(BOX,), (BOX.shifted_by(5, 0),), (), (BOX.shifted_by(9, 0),), (Box(200, 10, 240, 50),), ()]
    (face,) = appearances(frames)
    assert [number for number, _ in face] == [0, 1, 3]


def test_missed_counts_faces_and_whole_appearances() -> None:
    other = BOX.shifted_by(300, 0)
    full = Looked(faces=[(BOX, other), (BOX, other), (BOX,)])
    gate = Looked(faces=[(BOX,), (), (BOX,)])
    assert missed(full, gate) == {"faces": 5, "faces_missed": 3, "sightings": 2, "sightings_missed": 1}


def test_still_scene_is_looked_at_in_full_only_now_and_then(picture: Picture) -> None:
    with bench_worker() as worker:
        looked = worker.look_with_gate([encode(picture)] * 60, Search(), 1.0)
    assert looked.looks["full"] == 2
    assert looked.looks["nothing"] == 58


def test_latency_is_measured_from_the_first_usable_frame_of_each_visit() -> None:
    visits = Visits(usable=[100.0, 120.0, 140.0], recognised=[100.4, 119.8])
    assert visits.latencies() == pytest.approx([0.4, 0.0])


def test_figures_of_a_thousand_cameras_tell_the_start_from_the_rest() -> None:
    answers = Answers(latencies=[(10.0, 3.0), (100.0, 0.1), (101.0, 0.3)])
    found = thousand.figures(answers, Samples((), [100, 200, 300, 400]), 0.0, 5, 2)
    assert found["start_latency_s"]["max"] == 3.0
    assert found["latency_s"]["max"] == 0.3
    assert found["answered"] == 3
