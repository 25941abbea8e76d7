from __future__ import annotations

import numpy as np

from gateway.vision.engines.convolutions import MAX_WEIGHT, diffuse_errors

WEIGHTS = np.random.default_rng(0).uniform(-60, 60, (16, 3, 7, 7))


def test_rounded_weights_are_whole_numbers_within_the_limit() -> None:
    rounded = diffuse_errors(WEIGHTS * 64 / 60)
    np.testing.assert_array_equal(rounded, np.round(rounded))
    assert np.abs(rounded).max() <= MAX_WEIGHT


def test_rounding_errors_of_a_filter_cancel_out() -> None:
    """A flat part of a picture gets nearly the exact sum. Rounding each weight alone leaves an error of several."""
    error = np.abs((diffuse_errors(WEIGHTS) - WEIGHTS).sum(axis=(2, 3)))
    assert error.max() <= 0.5 + 1e-9
    assert np.abs((np.round(WEIGHTS) - WEIGHTS).sum(axis=(2, 3))).max() > 2


def test_each_weight_is_off_by_one_step_at_most() -> None:
    assert np.abs(diffuse_errors(WEIGHTS) - WEIGHTS).max() <= 1
