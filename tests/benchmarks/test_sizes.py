from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.sizes import Alike, Limits, figures, interval, measure, named


def test_stranger_is_named_if_exactly_one_person_passes() -> None:
    alike = np.array([[0.9, 0.1, 0.1], [0.9, 0.9, 0.1], [0.1, 0.1, 0.1], [-np.inf, 0.1, 0.5]], np.float32)
    assert named(alike, 0.5, 3).tolist() == [1, 0, 0, 1]


def test_share_of_all_galleries_counts() -> None:
    alike = np.array([[0.9, 0.1, 0.1, 0.1], [0.9, 0.9, 0.1, 0.1]], np.float32)
    # Of the six pairs of four people, three have the first person, and four have exactly one of the first two.
    assert named(alike, 0.5, 2) == pytest.approx([3 / 6, 4 / 6])
    assert named(alike, 0.5, 1) == pytest.approx([1 / 4, 2 / 4])


def test_interval_contains_the_mean_and_narrows_with_more_faces() -> None:
    few, many = np.array([0.0, 1.0] * 20), np.array([0.0, 1.0] * 500)
    assert interval(few)[0] < interval(many)[0] < 0.5 < interval(many)[1] < interval(few)[1]


def test_pairs_of_one_person_are_not_counted() -> None:
    to_people = np.array([[-np.inf, 0.8], [0.2, -np.inf]], np.float32)
    to_each_other = np.array([[-np.inf, 0.1], [0.1, -np.inf]], np.float32)
    found = figures(Alike(to_people, to_each_other), Limits({1: 0.9}, 0.5))
    assert (found["faces"], found["named"], found["confirmed"], found["same"]) == (2, {"1": 0}, 0.5, 0)


def test_measurement_reduces_faces_to_the_wanted_size(shared: Path) -> None:
    result = measure(shared / "press", 3, [48])
    assert result["people"] == 3
    faces = {pixels: each["faces"] for pixels, each in result["pixels"].items()}
    assert faces["80 to 499"] == 3
    assert faces.get("36 to 49", 0) + faces.get("50 to 59", 0) >= 2
