"""Tests of the proposer: the reduced pictures, and the places that the network proposes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.model import PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.proposals import MAX_PROPOSALS, Proposal, without_repeats
from gateway.vision.engines.proposer import MAX_LEVEL_PIXELS, SMALLEST_PX, BlazeFaceProposer, levels_of
from gateway.vision.engines.runtime import Graph
from tests.support import frame


@pytest.fixture(scope="module")
def proposer(models: Path) -> BlazeFaceProposer:
    return BlazeFaceProposer(*(Graph(models / "proposer-f32.xml", "f32") for _ in range(2)))


@pytest.fixture(scope="module")
def obama() -> Picture:
    return decode(frame("obama_1"), PictureLimits())


@pytest.mark.parametrize("min_face", [40, 80, 150])
def test_surest_proposal_is_the_face(proposer: BlazeFaceProposer, obama: Picture, min_face: int) -> None:
    best = proposer.propose(obama, min_face)[0]
    # Its box is (386, 96, 551, 260).
    assert [best.x, best.y] == pytest.approx([468, 178], abs=20)
    assert best.side == pytest.approx(165, rel=0.25)
    assert best.roll == pytest.approx(0, abs=15)


@pytest.mark.parametrize(("turns", "place", "roll"), [(1, (178, 385), -90), (2, (385, 302), 180), (3, (302, 468), 90)])
def test_surest_lying_proposal_is_the_lying_face(
    proposer: BlazeFaceProposer, obama: Picture, turns: int, place: tuple[float, float], roll: float
) -> None:
    best = proposer.propose_lying(np.ascontiguousarray(np.rot90(obama, turns)), 80)[0]
    assert [best.x, best.y] == pytest.approx(place, abs=20)
    assert best.side == pytest.approx(165, rel=0.25)
    assert best.roll is not None
    assert (best.roll - roll + 180) % 360 - 180 == pytest.approx(0, abs=20)


@pytest.mark.parametrize("change", [lambda p: p // 5, lambda p: p // 4 + 180])
def test_dark_and_pale_pictures_propose_the_face_too(
    proposer: BlazeFaceProposer, obama: Picture, change: object
) -> None:
    assert callable(change)
    best = proposer.propose(change(obama), 80)[0]
    assert [best.x, best.y] == pytest.approx([468, 178], abs=25)


def test_face_much_larger_than_wanted_is_not_proposed(proposer: BlazeFaceProposer, obama: Picture) -> None:
    assert all(each.side <= 2 * 80 for each in proposer.propose(obama, 40, 80))


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (9, 9)])
def test_tiny_picture_has_no_proposals(proposer: BlazeFaceProposer, size: tuple[int, int]) -> None:
    assert proposer.propose(np.zeros((*size, 3), np.uint8), 40) == []
    assert proposer.propose_lying(np.zeros((*size, 3), np.uint8), 40) == []


@pytest.mark.parametrize(("size", "min_face"), [((853, 480), 40), ((1920, 1080), 56), ((700, 100), 20), ((333, 77), 9)])
def test_smallest_wanted_face_has_the_least_size_that_the_network_sees(size: tuple[int, int], min_face: int) -> None:
    first, *others = levels_of(np.zeros((size[1], size[0], 3), np.uint8), min_face, None, SMALLEST_PX)
    assert first.across == pytest.approx(max(min_face / SMALLEST_PX, 1), rel=0.02)
    assert all(each.across > 4 * first.across for each in others)


def test_levels_end_where_faces_exceed_the_largest_wanted_size() -> None:
    picture = np.zeros((1080, 1920, 3), np.uint8)
    assert len(levels_of(picture, 40, 100, SMALLEST_PX)) == 1
    assert len(levels_of(picture, 40, None, SMALLEST_PX)) == 2


@pytest.mark.parametrize(("size", "min_face"), [((5000, 5000), 20), ((8120, 8000), 56), ((65_000, 300), 20)])
def test_levels_of_large_pictures_are_bounded(size: tuple[int, int], min_face: int) -> None:
    """Regression: the proposer took 3.6 GB for a picture of 25 megapixels, and 100 seconds."""
    levels = levels_of(np.zeros((size[1], size[0], 3), np.uint8), min_face, None, SMALLEST_PX)
    assert max(each.pixels.shape[0] * each.pixels.shape[1] for each in levels) < 2.1 * MAX_LEVEL_PIXELS


def test_proposals_are_bounded() -> None:
    """Regression: a picture full of small faces took 14 seconds here."""
    found = [Proposal(0.5, 50 * x, 50 * y, 40) for x in range(80) for y in range(80)]
    assert len(without_repeats([*found, Proposal(0.9, -100, 0, 40)])) == MAX_PROPOSALS


def test_of_repeated_proposals_the_surest_one_is_kept() -> None:
    weak, strong, other = Proposal(0.4, 100, 100, 50), Proposal(0.8, 110, 95, 60), Proposal(0.3, 300, 100, 50)
    assert without_repeats([weak, other, strong]) == [strong, other]
