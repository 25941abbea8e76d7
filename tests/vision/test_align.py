"""Tests of faces that lie on their side: they are rotated before they are described."""

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

from gateway.model import AnalyseTask, Box, DrawTask, FaceMark, FoundFace, Mounting, PictureLimits, Rotation, Search
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.similarity import Similarity, typical_faces
from gateway.vision.align import TurnedPart, align, make_upright, turn, turned_part
from gateway.vision.analyse import analyse
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Detection, Engine
from gateway.vision.tasks import run_task
from tests.examples import encoded
from tests.support import FRAMES, KNOWN_FACES, frame

LIMITS = PictureLimits()
MOUNTINGS: dict[tuple[Rotation, bool], list[list[int]]] = {
    (0, True): [[2, 1, 0], [5, 4, 3]],
    (90, False): [[3, 0], [4, 1], [5, 2]],
    (90, True): [[0, 3], [1, 4], [2, 5]],
    (180, False): [[5, 4, 3], [2, 1, 0]],
    (270, True): [[5, 2], [4, 1], [3, 0]],
}
"""The pixels of a picture, [[0, 1, 2], [3, 4, 5]], by its mounting: clockwise rotation, and whether it is mirrored."""
DECISION = Decision(0.01, 0.001, measured_curves("facegate"))
SIMILARITY = Similarity(typical_faces())
PICTURES = sorted([*KNOWN_FACES.glob("*/*.jpg"), *(path for path in FRAMES.glob("*.jpg") if "empty" not in path.stem)])

quarter_turns = pytest.mark.parametrize("turns", [1, 2, 3])


CORNERS = {"obama_1": (303, 14), "biden_2": (211, 46), "hopper_1": (128, 79), "stranger_1": (197, 29)}
"""Left and top of the head in each frame. Each frame shows another person."""


@cache
def head_of(name: str) -> Picture:
    """Return the face of a frame with its surroundings, 330 x 330 pixels."""
    left, top = CORNERS[name]
    return np.ascontiguousarray(decode(frame(name), LIMITS)[top : top + 330, left : left + 330])


def rotated_head(name: str, degrees: float) -> bytes:
    """Return the head rotated anticlockwise by any angle, as a PNG that contains all of it."""
    image = PIL.Image.fromarray(head_of(name))
    return encoded(image.rotate(degrees, PIL.Image.Resampling.BICUBIC, expand=True), "PNG")


def analyse_single_face(data: bytes, engine: Engine, wanted: AnalyseTask) -> FoundFace:
    return analyse(data, engine, replace(wanted, search=Search(80)), LIMITS).single_face()


def largest_described_face(data: bytes, engine: Engine) -> FoundFace | None:
    """Return the largest face with a descriptor, as for face_match."""
    seen = analyse(data, engine, AnalyseTask(descriptors="enrolment"), LIMITS)
    return max((face for face in seen.faces if face.descriptor is not None), key=lambda f: f.box.area, default=None)


def is_same_person(one: FoundFace, other: FoundFace) -> bool:
    """Return whether face_match finds a match with its default settings."""
    assert one.descriptor is not None
    assert other.descriptor is not None
    return DECISION.score(SIMILARITY.compare(one.descriptor, other.descriptor)) >= DECISION.verification_threshold()


class UnsureDetector:
    """A detector that finds faces as usual, but knows no roll, and gives no upright direction a good score."""

    def __init__(self, engine: Engine) -> None:
        self._detector = engine.detector

    def detect(self, picture: Picture, min_face: int, max_face: int | None) -> list[Detection]:
        return [replace(each, roll=None) for each in self._detector.detect(picture, min_face, max_face)]

    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        return [-1.0] * len(tiles)


@pytest.mark.parametrize("turns", range(4))
def test_turned_part_converts_points_and_boxes_to_the_same_pixels(turns: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    part = TurnedPart(Box(7, 5, 37, 27), turns)
    pixels, box = part.of(picture), part.box(Box(10, 11, 16, 14))
    assert (pixels[box.top : box.bottom, box.left : box.right] == turn(picture[11:14, 10:16], turns)).all()
    points = np.array([(x, y) for x in (0, 3, 9) for y in (0, 5, 20)], np.float32)
    for (x, y), (across, down) in zip(points.astype(int), part.points_in_picture(points).astype(int), strict=True):
        assert (pixels[y, x] == picture[down, across]).all()


def test_turned_part_of_a_face_at_the_edge_is_inside_the_picture() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    part = turned_part(picture, Box(150, -20, 230, 60), 1)
    assert part.around == Box(110, 0, 200, 100)
    assert part.of(picture).shape == (90, 100, 3)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_align_keeps_the_predicted_points_of_an_upright_face(facegate: Engine, path: Path) -> None:
    picture = decode(path.read_bytes(), LIMITS)
    for face in facegate.detector.detect(picture, 56, None):
        found = align(picture, face, facegate.predictor_5, facegate.detector)
        assert (found.turns, found.upright) == (0, True)
        assert (found.points == facegate.predictor_5.points(picture, face.box)).all()


@pytest.mark.parametrize("name", CORNERS)
@pytest.mark.parametrize("degrees", [45, 60, 90, 270, 285, 315])
def test_face_is_recognised_at_any_rotation(facegate: Engine, name: str, degrees: int) -> None:
    """Regression: from 60 degrees on, the chip was cut as if the face were upright."""
    upright = largest_described_face(rotated_head(name, 0), facegate)
    found = largest_described_face(rotated_head(name, degrees), facegate)
    assert upright is not None
    assert found is not None
    assert is_same_person(upright, found)


def test_roll_of_the_detection_decides_if_no_direction_is_proved(facegate: Engine) -> None:
    """Regression: a good face was refused, because its points jumped for a box one pixel lower."""
    picture, box = head_of("stranger_1"), Box(74, 83, 243, 252)
    known, unknown = (
        align(picture, Detection(box, 1.0, roll=roll), facegate.predictor_5, facegate.detector) for roll in (4.3, None)
    )
    assert (known.turns, known.upright) == (0, True)
    assert not unknown.upright


@quarter_turns
def test_align_finds_the_same_pixels_of_a_rotated_face(facegate: Engine, turns: int) -> None:
    picture = head_of("obama_1")
    (face,) = facegate.detector.detect(picture, 80, None)
    box = face.box
    whole = TurnedPart(Box(0, 0, 330, 330), turns)
    there = align(whole.of(picture), Detection(whole.box(box), 1.0), facegate.predictor_5, facegate.detector)
    assert (there.turns, there.upright) == (4 - turns, True)
    points = facegate.predictor_5.points(picture, box)
    assert np.abs(whole.points_in_picture(there.points) - points).max() < 0.05 * (box.right - box.left)


@pytest.mark.parametrize("degrees", [75, 90, 270])
def test_rotated_faces_of_different_people_do_not_match(facegate: Engine, degrees: int) -> None:
    """Regression: the descriptors of all rotated faces were alike."""
    found = [face for name in CORNERS if (face := largest_described_face(rotated_head(name, degrees), facegate))]
    assert len(found) == len(CORNERS)
    assert not any(is_same_person(one, other) for one, other in combinations(found, 2))


def test_two_people_of_the_rotated_cases_do_not_match(either_method: Engine, shared: Path) -> None:
    """Each of the two matches the upright frames of the same person."""
    obama, biden = (
        largest_described_face((shared / "cases" / f"lying_{name}.jpg").read_bytes(), either_method)
        for name in ("obama", "biden")
    )
    assert obama is not None
    assert biden is not None
    assert not is_same_person(obama, biden)
    for face, name in ((obama, "obama_1"), (biden, "biden_2")):
        upright = largest_described_face(frame(name), either_method)
        assert upright is not None
        assert is_same_person(face, upright)


@quarter_turns
def test_two_stages_describe_a_rotated_face_like_the_upright_one(facegate: Engine, turns: int) -> None:
    """The proposer finds a face at any roll, also one that hangs upside down."""
    upright, found = (largest_described_face(rotated_head("obama_1", degrees), facegate) for degrees in (0, 90 * turns))
    assert upright is not None
    assert found is not None
    assert is_same_person(upright, found)


@pytest.mark.parametrize("count", [5, 68])
def test_landmarks_of_a_rotated_face_are_in_pixels_of_the_picture(facegate: Engine, count: int) -> None:
    wanted = AnalyseTask(descriptors=None, landmarks=5 if count == 5 else 68)
    upright = analyse_single_face(rotated_head("obama_1", 0), facegate, wanted).landmarks
    found = analyse_single_face(rotated_head("obama_1", 90), facegate, wanted).landmarks
    assert upright is not None
    assert found is not None
    whole = TurnedPart(Box(0, 0, 330, 330), 1)
    for name, points in upright.items():
        back = whole.points_in_picture(np.array(found[name], np.float32))
        assert np.abs(back - points).max() < 20


def test_crop_of_a_rotated_face_is_upright(facegate: Engine) -> None:
    wanted = AnalyseTask(descriptors="enrolment", chips=True)
    upright, found = (
        analyse_single_face(rotated_head("obama_1", degrees), facegate, wanted).crop for degrees in (0, 90)
    )
    assert upright is not None
    assert found is not None
    one, other = (cv2.resize(decode(crop, LIMITS), (16, 16), interpolation=cv2.INTER_AREA) for crop in (upright, found))
    alike = [-float(np.abs(one.astype(float) - np.rot90(other, turns)).mean()) for turns in range(4)]
    assert np.argmax(alike) == 0


def test_face_without_a_certain_direction_is_not_described(facegate: Engine) -> None:
    """Its quality is unfit, so it is neither identified nor enrolled."""
    unsure = replace(facegate, detector=UnsureDetector(facegate))
    face = analyse_single_face(rotated_head("obama_1", 90), unsure, AnalyseTask(landmarks=68, chips=True))
    assert (face.descriptor, face.landmarks, face.chips, face.crop) == (None, None, None, None)
    assert face.quality is not None
    assert face.quality.pose == 0
    assert DECISION.unfit_reason(face.quality) == "turned"


def test_upright_face_is_described_without_the_detector_score(facegate: Engine) -> None:
    unsure = replace(facegate, detector=UnsureDetector(facegate))
    assert analyse_single_face(rotated_head("obama_1", 0), unsure, AnalyseTask()).descriptor is not None


def test_stock_engine_is_certain_of_upright_faces_only(engine: Engine) -> None:
    """HOG gives the score. Without an upright face in any direction the result stays uncertain."""
    picture = head_of("obama_1")
    box = Box(83, 82, 248, 246)
    for turns in range(4):
        whole = TurnedPart(Box(0, 0, 330, 330), turns)
        found = align(whole.of(picture), Detection(whole.box(box), 1.0), engine.predictor_5, engine.detector)
        assert (found.turns, found.upright) == (-turns % 4, True)
    grey = np.full((330, 330, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (330, 330, 3), np.uint8)
    assert not any(
        align(each, Detection(box, 1.0), engine.predictor_5, engine.detector).upright for each in (grey, noise)
    )


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_picture_of_a_rotated_camera_is_rotated_first(facegate: Engine, degrees: Rotation) -> None:
    """``rotate`` is clockwise. All results refer to the rotated picture."""
    hanging = encoded(PIL.Image.fromarray(head_of("obama_1")[:, :300]).rotate(degrees, expand=True), "PNG")
    left = (((0.0, 0.0), (0.9, 0.0), (0.9, 1.0), (0.0, 1.0)),)
    wanted = AnalyseTask(Search(only=left), landmarks=5)
    straight = encoded(PIL.Image.fromarray(head_of("obama_1")[:, :300]), "PNG")
    upright = analyse(straight, facegate, wanted, LIMITS)
    found = analyse(
        hanging, facegate, replace(wanted, search=replace(wanted.search, mounting=Mounting(degrees))), LIMITS
    )
    assert (found.image.width, found.image.height) == (300, 330)
    (one,), (other,) = upright.faces, found.faces
    assert (one.box, one.landmarks, one.quality) == (other.box, other.landmarks, other.quality)
    np.testing.assert_array_equal(one.descriptor, other.descriptor)


def test_picture_of_an_upright_camera_is_not_copied() -> None:
    picture = np.zeros((4, 6, 3), np.uint8)
    assert np.shares_memory(make_upright(picture, Mounting()), picture)


def test_picture_is_turned_clockwise_and_then_mirrored() -> None:
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)
    turned = {each: make_upright(picture, Mounting(*each))[..., 0].tolist() for each in MOUNTINGS}
    assert turned == MOUNTINGS


def test_results_of_a_mirrored_camera_refer_to_the_mirrored_picture(facegate: Engine) -> None:
    """Faces, landmarks, regions and the drawing are those of the picture that a camera that is not mirrored sends."""
    straight = head_of("obama_1")[:, :300]
    left = (((0.0, 0.0), (0.9, 0.0), (0.9, 1.0), (0.0, 1.0)),)
    mirrored = Mounting(mirror=True)
    wanted = Search(only=left), Search(only=left, mounting=mirrored)
    pictures = [encoded(PIL.Image.fromarray(each), "PNG") for each in (straight, straight[:, ::-1])]
    one, other = (
        analyse(picture, facegate, AnalyseTask(search, landmarks=5), LIMITS)
        for picture, search in zip(pictures, wanted, strict=True)
    )
    assert [(face.box, face.landmarks, face.quality) for face in one.faces] == [
        (face.box, face.landmarks, face.quality) for face in other.faces
    ]
    assert len(one.faces) == 1
    marks = (FaceMark(one.faces[0].box, "Barack", True),)
    drawn = [
        run_task(picture, facegate, DrawTask(marks, mounting), LIMITS).drawn
        for picture, mounting in zip(pictures, (Mounting(), mirrored), strict=True)
    ]
    assert drawn[0] == drawn[1]
