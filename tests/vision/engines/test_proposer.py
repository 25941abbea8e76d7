"""Tests of the proposer: the sheet of reduced pictures, and the places that the network proposes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.model import PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.proposals import Proposal
from gateway.vision.engines.proposer import STEP_PX, CnnProposer, draw_sheet, plan_sheet, without_repeats
from gateway.vision.engines.runtime import Graph
from tests.support import frame


@pytest.fixture(scope="module", params=["int8", "f32"])
def proposer(request: pytest.FixtureRequest, models: Path) -> CnnProposer:
    return CnnProposer(Graph(models / f"proposer-{request.param}.xml", "f32"))


@pytest.fixture(scope="module")
def obama() -> Picture:
    return decode(frame("obama_1"), PictureLimits())


def test_surest_proposal_is_the_face(proposer: CnnProposer, obama: Picture) -> None:
    best = proposer.propose(obama, 80)[0]
    # Its box is (386, 96, 551, 260).
    assert [best.x, best.y] == pytest.approx([468, 178], abs=20)
    assert best.side == pytest.approx(165, rel=0.25)
    assert best.roll == pytest.approx(0, abs=20)


@pytest.mark.parametrize("change", [lambda p: p // 5, lambda p: p // 4 + 180])
def test_dark_and_pale_pictures_propose_the_face_too(proposer: CnnProposer, obama: Picture, change: object) -> None:
    assert callable(change)
    best = proposer.propose(change(obama), 80)[0]
    assert [best.x, best.y] == pytest.approx([468, 178], abs=25)


def test_face_larger_than_wanted_is_not_proposed(proposer: CnnProposer, obama: Picture) -> None:
    assert all(each.side <= 1.4 * 100 for each in proposer.propose(obama, 40, 100))


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (9, 9)])
def test_tiny_picture_has_no_proposals(proposer: CnnProposer, size: tuple[int, int]) -> None:
    assert proposer.propose(np.zeros((*size, 3), np.uint8), 40) == []


@pytest.mark.parametrize("size", [(853, 480), (1920, 1080), (100, 700), (333, 77)])
def test_levels_lie_apart_on_the_sheet_and_begin_at_places(size: tuple[int, int]) -> None:
    levels = plan_sheet(*size, 40, None)
    used = np.zeros((4000, 4000), int)
    for level in levels:
        assert (level.left % STEP_PX, level.top % STEP_PX) == (0, 0)
        used[level.top : level.top + level.height + STEP_PX, level.left : level.left + level.width + STEP_PX] += 1
    assert levels
    assert used.max() == 1


def test_levels_end_where_faces_exceed_the_largest_wanted_size() -> None:
    assert len(plan_sheet(1920, 1080, 40, 60)) < len(plan_sheet(1920, 1080, 40, None))


def test_sheet_has_the_same_contrast_for_dark_and_bright_pictures(obama: Picture) -> None:
    levels = plan_sheet(obama.shape[1], obama.shape[0], 80, None)
    bright, dark = (draw_sheet(each, levels).astype(int) for each in (obama, obama // 3))
    assert abs(bright - dark).mean() < 4


def test_of_repeated_proposals_the_surest_one_is_kept() -> None:
    weak, strong, other = Proposal(0.4, 100, 100, 50), Proposal(0.8, 110, 95, 60), Proposal(0.3, 300, 100, 50)
    assert without_repeats([weak, other, strong]) == [strong, other]
