from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.people.curves import CURVES_FILE, Curve, Curves, measured_curves
from gateway.people.decision import FULL_SCORE
from gateway.people.gallery_rows import MAX_COUNTED_PICTURES

ENGINES = ("facegate", "stock")


@pytest.mark.parametrize("engine", ENGINES)
def test_curves_exist_for_every_number_of_pictures(engine: str) -> None:
    assert len(measured_curves(engine).by_pictures) == MAX_COUNTED_PICTURES


@pytest.mark.parametrize("engine", ENGINES)
def test_curves_rise(engine: str) -> None:
    for curve in measured_curves(engine).by_pictures:
        assert len(curve.similarities) == len(curve.decades) >= 4
        assert (np.diff(curve.similarities) > 0).all()
        assert (np.diff(curve.decades) > 0).all()
        assert curve.decades[0] > 0


def asked(engine: str, rates: list[float]) -> NDArray[np.float64]:
    """Return the similarity for each number of pictures, in rows, and each rate."""
    return np.array([[curve.similarity_at(rate) for rate in rates] for curve in measured_curves(engine).by_pictures])


@pytest.mark.parametrize("engine", ENGINES)
def test_curves_of_more_pictures_never_need_less_similarity(engine: str) -> None:
    end = min(curve.measured_decades for curve in measured_curves(engine).by_pictures)
    assert end >= 4
    assert (np.diff(asked(engine, np.linspace(0, end, 81).tolist()), axis=0) > -1e-6).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_extended_curves_of_more_pictures_never_need_less_similarity(engine: str) -> None:
    """The test goes up to a score of 1, the threshold for 10,000 people."""
    rates = np.linspace(4, FULL_SCORE, 41).tolist()
    less = np.diff(asked(engine, rates), axis=0) < -1e-6
    assert not less.any(), (
        f"from so many decades on: {[round(rates[int(row.argmax())], 2) for row in less if row.any()]}"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_curves_file_names_the_measured_pictures(engine: str) -> None:
    measurement = json.loads(CURVES_FILE.read_text())["measured"][engine]
    assert "python -m benchmarks.calibration" in measurement
    assert "photographs of" in measurement


def test_curves_lie_between_their_confidence_bounds() -> None:
    """The bounds are those of a confidence of 95 %."""
    for engine in json.loads(CURVES_FILE.read_text())["curves"].values():
        for pictures in engine.values():
            for points in pictures.values():
                low, middle, high = (np.array(points[name]) for name in ("low", "similarity", "high"))
                assert (low <= middle + 1e-9).all()
                assert (middle <= high + 1e-9).all()
                assert len({len(points[name]) for name in ("low", "similarity", "high", "decades")}) == 1


CURVE = Curve(np.array([0.5, 0.7, 0.8]), np.array([1.0, 2.0, 4.0]))


@pytest.mark.parametrize(("similarity", "decades"), [(0.5, 1), (0.6, 1.5), (0.75, 3), (0.8, 4), (0.9, 6), (1, 8)])
def test_curve_is_interpolated_in_both_directions(similarity: float, decades: float) -> None:
    assert CURVE.decades_at(similarity) == pytest.approx(decades)
    assert CURVE.similarity_at(decades) == pytest.approx(similarity)


def test_curve_is_level_below_its_first_point() -> None:
    assert CURVE.decades_at(-1) == CURVE.decades_at(0.5) == 1
    assert CURVE.similarity_at(0) == CURVE.similarity_at(1) == 0.5


def test_curve_reports_its_last_measured_point() -> None:
    assert CURVE.measured_decades == 4


def test_last_curve_is_used_for_more_pictures() -> None:
    other = Curve(np.array([0.6, 0.7]), np.array([1.0, 2.0]))
    curves = Curves((CURVE, other))
    assert [curves.for_pictures(pictures) for pictures in (1, 2, 3, 100)] == [CURVE, other, other, other]


def test_curves_of_an_unknown_engine_are_a_key_error() -> None:
    with pytest.raises(KeyError):
        measured_curves("another")


@pytest.mark.parametrize("engine", ENGINES)
def test_curves_of_more_probes_never_need_less_similarity(engine: str) -> None:
    curves = measured_curves(engine)
    assert curves.max_probes == 5
    for pictures in range(1, MAX_COUNTED_PICTURES + 1):
        rates = np.linspace(0, FULL_SCORE, 61).tolist()
        by_probes = [[curves.for_pictures(pictures, n).similarity_at(rate) for rate in rates] for n in (1, 2, 3, 5)]
        assert (np.diff(by_probes, axis=0) > -1e-6).all()


def test_frames_are_worth_more_pictures_the_more_they_differ() -> None:
    curves = measured_curves("facegate")
    same = curves.same_cosine
    assert same is not None
    # The length of the mean of n pictures whose cosines are all the same.
    lengths = {n: (same + (1 - same) / n) ** 0.5 for n in (2, 3, 5)}
    assert [curves.different_probes(length, n) for n, length in lengths.items()] == pytest.approx([2, 3, 5])
    assert curves.different_probes(1.0, 5) == 1
    assert 1 < curves.different_probes(0.998, 5) < 2
    # Pictures that differ more than usual are not worth more than their number.
    assert curves.different_probes(0.5, 2) == 2


def test_frames_are_worth_their_number_if_no_cosine_was_measured() -> None:
    assert Curves((CURVE,)).different_probes(1.0, 3) == 3


def test_curve_between_two_numbers_of_probes_is_between_theirs() -> None:
    other = Curve(CURVE.similarities + 0.1, CURVE.decades)
    curves = Curves((CURVE,), {2: (other,)})
    assert curves.for_pictures(1, 4 / 3).similarity_at(3) == pytest.approx(CURVE.similarity_at(3) + 0.05)
    assert curves.for_pictures(1, 2) is other
