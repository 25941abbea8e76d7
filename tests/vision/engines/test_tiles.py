"""Tests of the tiles in which dlib's CNN looks for a proposed face."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from gateway.vision.engines.proposals import Proposal
from gateway.vision.engines.tiles import (
    PROPOSED_TILE_PX,
    ProposedTile,
    Reductions,
    Sizes,
    proposed_tile,
    resized_tiles,
    turned_tiles,
)


def test_tile_is_turned_and_scaled_around_the_proposed_place() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    cv2.circle(picture, (250, 150), 8, (255, 0, 0), -1)
    # 40 pixels right of the place. Turned upright from a roll of 90 degrees, this is above the place.
    tile = ProposedTile(Proposal(0.9, 210, 150, 80, 90), 1.0, 90)
    red = np.argwhere(Reductions(picture).cut(tile)[..., 0] > 127)
    row, column = red.mean(axis=0)
    middle = (PROPOSED_TILE_PX - 1) / 2
    assert [row, column] == pytest.approx([middle - 40, middle], abs=0.6)
    assert tile.to_picture(0, -40) == pytest.approx((250, 150))


def test_large_face_is_cut_from_a_reduced_picture() -> None:
    """Regression: bilinear interpolation alone would take one of 8 pixels, and show a checkerboard as noise."""
    checkered = np.indices((1600, 1600)).sum(axis=0)[..., None] % 2 * np.full(3, 255)
    cut = Reductions(checkered.astype(np.uint8)).cut(ProposedTile(Proposal(0.9, 800, 800, 640), 0.125, 0))
    assert cut.std() < 2


def sides(proposal: Proposal, sizes: Sizes) -> list[float]:
    """Return the sides of the windows of the first two rounds."""
    tiles = [*proposed_tile(proposal, sizes), *resized_tiles(proposal, sizes)]
    return sorted(round(80 / tile.zoom, 1) for tile in tiles)


def test_windows_are_smaller_and_larger_than_the_proposal() -> None:
    assert sides(Proposal(0.9, 0, 0, 100), Sizes(40, math.inf)) == [77, 100, 120, 144, 173]


def test_no_window_is_smaller_or_larger_than_the_wanted_faces() -> None:
    assert sides(Proposal(0.9, 0, 0, 100), Sizes(90, 130)) == [90, 100, 120, 130]
    assert sides(Proposal(0.9, 0, 0, 50), Sizes(56, math.inf)) == [56, 60, 72, 86.5]


def test_other_directions_are_the_three_quarter_turns() -> None:
    tiles = turned_tiles(Proposal(0.9, 0, 0, 100, 80), Sizes(40, math.inf))
    assert [tile.turned for tile in tiles] == [170, 260, 350]


def test_unsure_proposal_is_not_looked_at_in_other_directions() -> None:
    assert list(turned_tiles(Proposal(0.25, 0, 0, 100, 80), Sizes(40, math.inf))) == []


@pytest.mark.parametrize(("roll", "turned"), [(80, {80, 0}), (30, {30}), (5, {0})])
def test_lying_face_is_looked_at_upright_too(roll: float, turned: set[float]) -> None:
    assert {tile.turned for tile in resized_tiles(Proposal(0.3, 0, 0, 100, roll), Sizes(40, math.inf))} == turned
