"""Tests of the two-stage detector. The full pyramid is the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateway.model import Box, PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Detection
from gateway.vision.engines.detector import CnnDetector
from gateway.vision.engines.networks import open_detector, open_two_stage_detector
from gateway.vision.engines.proposals import Proposal
from gateway.vision.engines.pyramid import resize
from gateway.vision.engines.two_stage import TwoStageDetector
from tests.support import FRAMES

NAMES = sorted(path.stem for path in FRAMES.glob("*.jpg"))


@pytest.fixture(scope="module")
def pyramid(models: Path) -> CnnDetector:
    return open_detector(models, "auto")


@pytest.fixture(scope="module")
def two_stage(models: Path) -> TwoStageDetector:
    return open_two_stage_detector(models, "auto")


def picture_of(name: str) -> Picture:
    return decode((FRAMES / f"{name}.jpg").read_bytes(), PictureLimits())


def are_one(one: Box, other: Box) -> bool:
    """Return whether two boxes are of one face.

    Their centres are near each other. Their sides may differ by a half: the full pyramid itself gives the same face
    sides of 163 or 213 pixels, as its levels happen to lie.
    """
    side, other_side = one.right - one.left, other.right - other.left
    away = max(
        abs(one.left + one.right - other.left - other.right) / 2,
        abs(one.top + one.bottom - other.top - other.bottom) / 2,
    )
    return away < side / 4 and max(side, other_side) < 1.5 * min(side, other_side)


@pytest.mark.parametrize("name", NAMES)
def test_two_stages_find_the_faces_of_the_full_pyramid(
    two_stage: TwoStageDetector, pyramid: CnnDetector, name: str
) -> None:
    expected, found = (detector.detect(picture_of(name), 80) for detector in (pyramid, two_stage))
    assert len(found) == len(expected)
    assert all(any(are_one(face.box, other.box) for other in found) for face in expected)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_two_stages_find_a_lying_face_and_tell_its_roll(two_stage: TwoStageDetector, turns: int) -> None:
    lying = np.ascontiguousarray(np.rot90(picture_of("obama_1"), -turns))
    (face,) = two_stage.detect(lying, 80)
    assert face.roll is not None
    assert abs((face.roll - 90 * turns + 180) % 360 - 180) < 30


@pytest.mark.parametrize(("min_face", "max_face", "count"), [(80, None, 1), (260, None, 0), (80, 200, 1), (40, 80, 0)])
def test_two_stages_find_faces_of_the_wanted_sizes_only(
    two_stage: TwoStageDetector, min_face: int, max_face: int | None, count: int
) -> None:
    # The face has 165 pixels.
    assert len(two_stage.detect(picture_of("obama_1"), min_face, max_face)) == count


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (640, 480)])
def test_two_stages_find_nothing_in_a_blank_picture_of_any_size(
    two_stage: TwoStageDetector, size: tuple[int, int]
) -> None:
    assert two_stage.detect(np.full((*size, 3), 128, np.uint8), 40) == []


class Everywhere:
    """A proposer that proposes places on a grid, far more than fit on one canvas."""

    def propose(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
        height, width = picture.shape[:2]
        return [Proposal(0.5, x, y, 165) for y in range(20, height, 60) for x in range(20, width, 110)]

    def propose_lying(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
        return []


class Once:
    """A proposer that proposes one place, whatever the picture shows."""

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal

    def propose(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
        return [self._proposal]

    def propose_lying(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
        return []


@pytest.mark.parametrize("proposed", [Proposal(0.3, 468, 178, 100, 0), Proposal(0.3, 468, 178, 210, 0)])
def test_face_is_found_though_its_proposed_size_is_wrong(pyramid: CnnDetector, proposed: Proposal) -> None:
    (found,) = TwoStageDetector(Once(proposed), pyramid).detect(picture_of("obama_1"), 80)
    (expected,) = pyramid.detect(picture_of("obama_1"), 80)
    assert found.confirmed
    assert are_one(expected.box, found.box)


@pytest.mark.parametrize("roll", [90, 180, -90])
def test_face_is_found_though_its_proposed_roll_is_wrong(pyramid: CnnDetector, roll: float) -> None:
    proposed = Proposal(0.6, 468, 178, 165, roll)
    (found,) = TwoStageDetector(Once(proposed), pyramid).detect(picture_of("obama_1"), 80)
    (expected,) = pyramid.detect(picture_of("obama_1"), 80)
    assert found.confirmed
    assert are_one(expected.box, found.box)


@pytest.mark.parametrize(("score", "side", "count"), [(0.9, 165, 1), (0.5, 165, 0), (0.9, 60, 0)])
def test_sure_proposal_of_a_wanted_size_counts_though_the_cnn_sees_no_face(
    pyramid: CnnDetector, score: float, side: float, count: int
) -> None:
    covered = picture_of("obama_1").copy()
    covered[96:260, 386:551] = 128
    found = TwoStageDetector(Once(Proposal(score, 468, 178, side, 10)), pyramid).detect(covered, 80)
    assert [(face.confirmed, face.roll) for face in found] == [(False, 10)] * count


def test_sure_proposal_beside_the_window_of_its_face_is_no_second_face(pyramid: CnnDetector) -> None:
    class Twice(Once):
        def propose(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
            return [self._proposal, Proposal(0.9, 490, 200, 60, 0)]

    (face,) = TwoStageDetector(Twice(Proposal(0.9, 468, 178, 165, 0)), pyramid).detect(picture_of("obama_1"), 40)
    assert face.confirmed


class Lying(Once):
    """A proposer that proposes its place as a lying face only. ``asked``: whether it was asked for lying faces."""

    asked = False

    def propose(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
        return []

    def propose_lying(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
        self.asked = True
        return [self._proposal]


def test_lying_places_are_looked_at_in_a_picture_without_upright_faces(pyramid: CnnDetector) -> None:
    lying = np.ascontiguousarray(np.rot90(picture_of("obama_1")))
    (face,) = TwoStageDetector(Lying(Proposal(0.9, 178, 385, 165, -90)), pyramid).detect(lying, 80)
    assert (face.confirmed, face.roll) == (True, -90)


def test_sure_lying_place_without_a_confirmed_face_is_no_face(pyramid: CnnDetector) -> None:
    proposer = Lying(Proposal(0.9, 100, 100, 165, 90))
    assert TwoStageDetector(proposer, pyramid).detect(np.full((480, 640, 3), 128, np.uint8), 80) == []
    assert proposer.asked


def test_lying_faces_are_not_looked_for_beside_an_upright_one(pyramid: CnnDetector) -> None:
    class Both(Lying):
        def propose(self, picture: Picture, min_face: float, max_face: float | None) -> list[Proposal]:
            return [self._proposal]

    proposer = Both(Proposal(0.9, 468, 178, 165, 0))
    assert len(TwoStageDetector(proposer, pyramid).detect(picture_of("obama_1"), 80)) == 1
    assert not proposer.asked


SIDES_OF_CROPS = [56, 64, 80, 100, 150, 200, 300, 480]


@pytest.mark.parametrize("side", SIDES_OF_CROPS)
def test_face_that_fills_the_picture_is_found(two_stage: TwoStageDetector, side: int) -> None:
    """Regression: the proposer saw no face that fills its input."""
    crop = picture_of("obama_1")[96:260, 386:551]
    assert len(two_stage.detect(resize(crop, (side, side)), 56)) == 1


def test_face_at_the_bottom_of_a_narrow_picture_is_found_in_its_place(two_stage: TwoStageDetector) -> None:
    """Regression: the level was narrower by rounding, and its rows were converted like its columns."""
    narrow = np.full((3200, 130, 3), 128, np.uint8)
    face = resize(picture_of("obama_1")[56:300, 346:591], (100, 100))
    narrow[2950:3050, 15:115] = face
    (found,) = two_stage.detect(narrow, 56)
    assert found.confirmed
    assert abs((found.box.top + found.box.bottom) / 2 - 3000) < 15


def test_crowd_is_found_beyond_the_places_that_are_looked_at_again(two_stage: TwoStageDetector) -> None:
    face = resize(picture_of("obama_1")[56:300, 346:591], (100, 100))
    crowd = np.tile(face, (10, 12, 1))
    assert len(two_stage.detect(crowd, 56)) > 100


def test_tiles_of_many_places_are_spread_over_several_canvases(pyramid: CnnDetector) -> None:
    found: list[Detection] = TwoStageDetector(Everywhere(), pyramid).detect(picture_of("obama_1"), 80)
    (expected,) = pyramid.detect(picture_of("obama_1"), 80)
    assert len(found) == 1
    assert are_one(expected.box, found[0].box)
