from __future__ import annotations

import numpy as np
import pytest

from benchmarks.landmarks import distances, summarise
from gateway.model import Points


def points(eye_distance: float) -> Points:
    """Return 68 points: all at 0, 0, except those of the right eye."""
    found = np.zeros((68, 2), np.float32)
    found[42:48, 0] = eye_distance
    return found


def test_distance_is_in_units_of_the_distance_between_the_eyes() -> None:
    expected = points(50)
    found = expected.copy()
    found[8] += [30, 40]
    assert distances(found, expected).tolist() == [1.0 if number == 8 else 0.0 for number in range(68)]


def test_summary_has_the_median_of_the_faces_and_of_each_group() -> None:
    faces = np.zeros((3, 68), np.float32)
    faces[1:, :17] = [[0.4], [0.8]]
    figures = summarise(faces)
    assert figures["faces"] == 3
    assert figures["distance"]["median"] == pytest.approx(0.1, abs=0.001)
    assert figures["groups"]["chin"] == pytest.approx(0.4)
    assert figures["groups"]["left_eye"] == 0
