"""Faces that lie on their side are turned upright before they are described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from gateway.model import AnalyseTask, Box, FoundFace, PictureLimits, Rotation, Search
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.similarity import Similarity, typical_faces
from gateway.vision.analyse import analyse
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Engine
from gateway.vision.upright import TurnedPart, align, rotate, turn, turned_part
from tests.examples import encoded
from tests.support import FRAMES, KNOWN_FACES, frame

LIMITS = PictureLimits()
DECISION = Decision(0.01, 0.001, measured_curves("facegate"))
SIMILARITY = Similarity(typical_faces())
PICTURES = sorted([*KNOWN_FACES.glob("*/*.jpg"), *(path for path in FRAMES.glob("*.jpg") if "empty" not in path.stem)])

quarter_turns = pytest.mark.parametrize("turns", [1, 2, 3])


CORNERS = {"obama_1": (303, 14), "biden_2": (211, 46), "hopper_1": (128, 79), "stranger_1": (197, 29)}
"""Left and top of the head in each frame; no person is there twice."""


@cache
def head(name: str) -> Picture:
    """The face in a frame and what is about it, 330 pixels square."""
    left, top = CORNERS[name]
    return np.ascontiguousarray(decode(frame(name), LIMITS)[top : top + 330, left : left + 330])


def lying(name: str, degrees: float) -> bytes:
    """The head turned anticlockwise by any angle, with room for all of it."""
    image = PIL.Image.fromarray(head(name))
    return encoded(image.rotate(degrees, PIL.Image.Resampling.BICUBIC, expand=True), "PNG")


def sole(data: bytes, engine: Engine, wanted: AnalyseTask) -> FoundFace:
    return analyse(data, engine, replace(wanted, search=Search(80)), LIMITS).single_face()


def described(data: bytes, engine: Engine) -> FoundFace | None:
    """The largest face that is described, as for face_match."""
    seen = analyse(data, engine, AnalyseTask(descriptors="enrolment"), LIMITS)
    return max((face for face in seen.faces if face.descriptor is not None), key=lambda f: f.box.area, default=None)


def same(one: FoundFace, other: FoundFace) -> bool:
    """The answer of face_match at its defaults."""
    assert one.descriptor is not None
    assert other.descriptor is not None
    return DECISION.score(SIMILARITY.compare(one.descriptor, other.descriptor)) >= DECISION.verification_threshold()


class Unsure:
    """A detector that finds faces as ever, and is sure of none when asked again."""

    def __init__(self, engine: Engine) -> None:
        self._detector = engine.detector

    def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Box]:
        return self._detector.detect(picture, min_face, max_face)

    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        return [-1.0] * len(tiles)


@pytest.mark.parametrize("turns", range(4))
def test_points_and_boxes_of_a_turned_part_are_at_the_same_pixels_of_the_picture(turns: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    part = TurnedPart(Box(7, 5, 37, 27), turns)
    pixels, box = part.of(picture), part.box(Box(10, 11, 16, 14))
    assert (pixels[box.top : box.bottom, box.left : box.right] == turn(picture[11:14, 10:16], turns)).all()
    points = np.array([(x, y) for x in (0, 3, 9) for y in (0, 5, 20)], np.float32)
    for (x, y), (across, down) in zip(points.astype(int), part.points_in_picture(points).astype(int), strict=True):
        assert (pixels[y, x] == picture[down, across]).all()


def test_the_part_about_a_face_at_the_edge_stays_in_the_picture() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    part = turned_part(picture, Box(150, -20, 230, 60), 1)
    assert part.around == Box(110, 0, 200, 100)
    assert part.of(picture).shape == (90, 100, 3)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_points_of_an_upright_face_are_the_predictor_s_own(facegate: Engine, path: Path) -> None:
    picture = decode(path.read_bytes(), LIMITS)
    for box in facegate.detector.detect(picture, 56, None):
        found = align(picture, box, facegate.aligner, facegate.detector)
        assert (found.turns, found.upright) == (0, True)
        assert (found.points == facegate.aligner.points(picture, box)).all()


@pytest.mark.parametrize("name", CORNERS)
@pytest.mark.parametrize("degrees", [45, 60, 90, 270, 285, 315])
def test_a_face_is_recognised_however_it_is_turned(facegate: Engine, name: str, degrees: int) -> None:
    """Regression: from 60 degrees on, the chip was cut as if the face were upright."""
    upright = described(lying(name, 0), facegate)
    found = described(lying(name, degrees), facegate)
    assert upright is not None
    if found is not None:  # dlib's detector itself misses some faces that lie
        assert same(upright, found)


@quarter_turns
def test_a_lying_face_is_aligned_at_the_same_pixels_as_the_upright_one(facegate: Engine, turns: int) -> None:
    picture = head("obama_1")
    (box,) = facegate.detector.detect(picture, 80, None)
    whole = TurnedPart(Box(0, 0, 330, 330), turns)
    there = align(whole.of(picture), whole.box(box), facegate.aligner, facegate.detector)
    assert (there.turns, there.upright) == (4 - turns, True)
    points = facegate.aligner.points(picture, box)
    assert np.abs(whole.points_in_picture(there.points) - points).max() < 0.05 * (box.right - box.left)


@pytest.mark.parametrize("degrees", [75, 90, 270])
def test_different_people_who_lie_are_never_the_same(facegate: Engine, degrees: int) -> None:
    """Regression: all lying faces looked alike."""
    found = [face for name in CORNERS if (face := described(lying(name, degrees), facegate))]
    assert not any(same(one, other) for one, other in combinations(found, 2))


def test_the_two_lying_people_of_the_cases_are_not_the_same(facegate: Engine, shared: Path) -> None:
    """And each is who the upright frames show."""
    obama, biden = (
        described((shared / "cases" / f"lying_{name}.jpg").read_bytes(), facegate) for name in ("obama", "biden")
    )
    assert obama is not None
    assert biden is not None
    assert not same(obama, biden)
    for face, name in ((obama, "obama_1"), (biden, "biden_2")):
        upright = described(frame(name), facegate)
        assert upright is not None
        assert same(face, upright)


@pytest.mark.parametrize("count", [5, 68])
def test_landmarks_of_a_lying_face_are_in_the_picture_s_own_pixels(facegate: Engine, count: int) -> None:
    wanted = AnalyseTask(descriptors=None, landmarks=5 if count == 5 else 68)
    upright = sole(lying("obama_1", 0), facegate, wanted).landmarks
    found = sole(lying("obama_1", 90), facegate, wanted).landmarks
    assert upright is not None
    assert found is not None
    whole = TurnedPart(Box(0, 0, 330, 330), 1)
    for name, points in upright.items():
        back = whole.points_in_picture(np.array(found[name], np.float32))
        assert np.abs(back - points).max() < 20


def test_the_crop_of_a_lying_face_is_upright_for_people(facegate: Engine) -> None:
    wanted = AnalyseTask(descriptors="enrolment", chips=True)
    upright, found = (sole(lying("obama_1", degrees), facegate, wanted).crop for degrees in (0, 90))
    assert upright is not None
    assert found is not None
    one, other = (cv2.resize(decode(crop, LIMITS), (16, 16), interpolation=cv2.INTER_AREA) for crop in (upright, found))
    alike = [-float(np.abs(one.astype(float) - np.rot90(other, turns)).mean()) for turns in range(4)]
    assert np.argmax(alike) == 0


def test_a_face_that_no_turn_makes_upright_is_not_described(facegate: Engine) -> None:
    """Its quality says so: nobody is named by it, and it is not enrolled."""
    unsure = replace(facegate, detector=Unsure(facegate))
    face = sole(lying("obama_1", 90), unsure, AnalyseTask(landmarks=68, chips=True))
    assert (face.descriptor, face.landmarks, face.chips, face.crop) == (None, None, None, None)
    assert face.quality is not None
    assert face.quality.pose == 0
    assert DECISION.unfit_reason(face.quality) == "turned"


def test_an_upright_face_does_not_need_the_detector_s_certainty(facegate: Engine) -> None:
    unsure = replace(facegate, detector=Unsure(facegate))
    assert sole(lying("obama_1", 0), unsure, AnalyseTask()).descriptor is not None


def test_stock_is_sure_of_upright_faces_alone(engine: Engine) -> None:
    """HOG judges, and a face that it does not see upright in any direction stays undecided."""
    picture = head("obama_1")
    box = Box(83, 82, 248, 246)
    for turns in range(4):
        whole = TurnedPart(Box(0, 0, 330, 330), turns)
        found = align(whole.of(picture), whole.box(box), engine.aligner, engine.detector)
        assert (found.turns, found.upright) == (-turns % 4, True)
    grey = np.full((330, 330, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (330, 330, 3), np.uint8)
    assert not any(align(each, box, engine.aligner, engine.detector).upright for each in (grey, noise))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_camera_that_hangs_turned_has_its_pictures_turned_first(facegate: Engine, degrees: Rotation) -> None:
    """``rotate`` is clockwise. All that is reported refers to the turned picture."""
    hanging = encoded(PIL.Image.fromarray(head("obama_1")[:, :300]).rotate(degrees, expand=True), "PNG")
    left = (((0.0, 0.0), (0.9, 0.0), (0.9, 1.0), (0.0, 1.0)),)
    wanted = AnalyseTask(Search(only=left), landmarks=5)
    straight = encoded(PIL.Image.fromarray(head("obama_1")[:, :300]), "PNG")
    upright = analyse(straight, facegate, wanted, LIMITS)
    found = analyse(hanging, facegate, replace(wanted, search=replace(wanted.search, rotate=degrees)), LIMITS)
    assert (found.image.width, found.image.height) == (300, 330)
    (one,), (other,) = upright.faces, found.faces
    assert (one.box, one.landmarks, one.quality) == (other.box, other.landmarks, other.quality)
    np.testing.assert_array_equal(one.descriptor, other.descriptor)


def test_a_picture_that_need_not_be_turned_is_not_copied() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    assert rotate(picture, 0).base is picture or rotate(picture, 0) is picture
    assert [rotate(picture, degrees).shape[:2] for degrees in (90, 180, 270)] == [(6, 4), (4, 6), (6, 4)]
