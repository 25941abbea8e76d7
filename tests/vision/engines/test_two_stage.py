"""Tests of the two-stage detector. The full pyramid is the reference."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gateway.model import Box, PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Detection
from gateway.vision.engines.detector import CnnDetector
from gateway.vision.engines.networks import open_detector, open_two_stage_detector
from gateway.vision.engines.proposals import Proposal
from gateway.vision.engines.two_stage import TILE_SIDE_PX, ProposedTile, Reductions, TwoStageDetector, tiles_of
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
    """Return whether two boxes are of one face: the centres and the sides differ by less than a quarter."""
    side = one.right - one.left
    return max(
        abs(one.left + one.right - other.left - other.right) / 2,
        abs(one.top + one.bottom - other.top - other.bottom) / 2,
        abs(side - (other.right - other.left)),
    ) < side / 4  # fmt: skip


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


@pytest.mark.parametrize(("min_face", "max_face", "count"), [(80, None, 1), (220, None, 0), (80, 200, 1), (40, 80, 0)])
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


def test_tiles_of_many_places_are_spread_over_several_canvases(pyramid: CnnDetector) -> None:
    found: list[Detection] = TwoStageDetector(Everywhere(), pyramid).detect(picture_of("obama_1"), 80)
    (expected,) = pyramid.detect(picture_of("obama_1"), 80)
    assert len(found) == 1
    assert are_one(expected.box, found[0].box)


def test_tile_is_turned_and_scaled_around_the_proposed_place() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    cv2.circle(picture, (250, 150), 8, (255, 0, 0), -1)
    # 40 pixels right of the place. Turned upright from a roll of 90 degrees, this is above the place.
    tile = ProposedTile(Proposal(0.9, 210, 150, 80, 90), 1.0, 90)
    red = np.argwhere(Reductions(picture).cut(tile)[..., 0] > 127)
    row, column = red.mean(axis=0)
    middle = (TILE_SIDE_PX - 1) / 2
    assert [row, column] == pytest.approx([middle - 40, middle], abs=0.6)
    assert tile.to_picture(0, -40) == pytest.approx((250, 150))


def test_large_face_is_cut_from_a_reduced_picture() -> None:
    """Regression: bilinear interpolation alone would take one of 8 pixels, and show a checkerboard as noise."""
    checkered = np.indices((1600, 1600)).sum(axis=0)[..., None] % 2 * np.full(3, 255)
    cut = Reductions(checkered.astype(np.uint8)).cut(ProposedTile(Proposal(0.9, 800, 800, 640), 0.125, 0))
    assert cut.std() < 2


def test_no_window_is_smaller_than_the_smallest_wanted_face() -> None:
    assert [80 / tile.zoom for tile in tiles_of(Proposal(0.9, 0, 0, 50), 56)] == [pytest.approx(56), pytest.approx(60)]
