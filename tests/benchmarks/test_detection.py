from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.detection import __main__ as command
from benchmarks.detection.counting import detect_all, floors, ratios, summary
from benchmarks.detection.detectors import Detector
from benchmarks.detection.faces import Face, match
from benchmarks.detection.no_faces import MissingPictures, pictures_without_faces
from benchmarks.detection.perturbations import PERTURBATIONS, QUARTER_TURNS
from benchmarks.detection.samples import PORTRAITS, SCENES, Sample, clip, groups, perturbed
from gateway.model import Box
from gateway.vision.engine import Detection
from gateway.vision.engines import detector as detector_module

FACE = Face(160, 120, 80)
HERE = Box(120, 80, 200, 160)


@pytest.mark.parametrize(
    "box",
    [HERE, HERE.shifted_by(39, -39), Box(135, 95, 185, 145), Box(90, 50, 230, 190)],
    ids=["the same", "middle within the face", "smaller", "larger"],
)
def test_detection_of_similar_place_and_size_matches_the_face(box: Box) -> None:
    assert match([box], [FACE]) == 1


@pytest.mark.parametrize(
    "box",
    [HERE.shifted_by(41, 0), HERE.shifted_by(0, -41), Box(141, 101, 179, 139), Box(79, 39, 241, 201)],
    ids=["beside it", "above it", "less than half as large", "more than twice as large"],
)
def test_other_detections_do_not_match(box: Box) -> None:
    assert match([box], [FACE]) == 0


def test_two_detections_of_a_face_count_once() -> None:
    assert match([HERE, HERE.shifted_by(5, 5)], [FACE]) == 1


def test_detection_matches_the_nearest_face() -> None:
    beside = Face(195, 120, 80)
    assert match([HERE.shifted_by(30, 0)], [FACE, beside]) == 1
    assert match([HERE.shifted_by(30, 0), HERE], [FACE, beside]) == 2


@pytest.mark.parametrize("kind", [*PERTURBATIONS, *QUARTER_TURNS])
@pytest.mark.parametrize("mark", [(150, 80), (40, 200), (290, 30)])
def test_perturbation_returns_the_new_place_of_points(kind: str, mark: tuple[int, int]) -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    cv2.circle(picture, mark, 6, (255, 255, 255), -1)
    changed, transform = {**PERTURBATIONS, **QUARTER_TURNS}[kind](picture, FACE)
    grey = changed.mean(axis=2)
    rows, columns = np.nonzero(grey > 0.4 * np.median(grey) + 0.6 * grey.max())  # masks are darker than this
    there = transform @ (mark[0] + 0.5, mark[1] + 0.5, 1)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx(there, abs=0.5)


def test_transform_changes_the_size_of_a_face() -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    moved = {kind: FACE.moved(perturb(picture, FACE)[1]) for kind, perturb in PERTURBATIONS.items()}
    assert moved["quarter size"].size == pytest.approx(20)
    assert moved["narrow"].size == pytest.approx(80 * 0.6**0.5, rel=0.01)
    assert moved["turned 60"].size == pytest.approx(80)


FOUND = [Detection(HERE, 1), Detection(HERE, 0, confirmed=False)]


def outcome_of(*detectors: Detector) -> dict[str, Any]:
    """Return the summary of three samples with three faces together."""
    picture = np.zeros((240, 320, 3), np.uint8)
    samples = [Sample("plain", picture, [FACE]), Sample("plain", picture, []), Sample("other", picture, [FACE, FACE])]
    return summary(list(detect_all(samples, detectors)))


def test_summary_counts_the_faces_of_each_detector() -> None:
    hog, facegate_found = (
        Detector(40, "hog1", lambda _: []),
        Detector(40, "facegate", lambda _: [*FOUND]),
    )
    result = outcome_of(hog, facegate_found)
    figures = result["40px"]
    assert result["pictures"] == 3
    assert result["labelled"] == 3
    assert (figures["hog1"]["found"], figures["hog1"]["false"]) == (0, 0)
    assert (figures["facegate"]["found"], figures["facegate"]["false"]) == (3, 3)
    assert (figures["facegate"]["unconfirmed"], figures["facegate"]["false_unconfirmed"]) == (3, 2)
    assert result["by_kind"] == {
        "plain": {"pictures": 2, "40px": {"hog1": 0, "facegate": 1}},
        "other": {"pictures": 1, "40px": {"hog1": 0, "facegate": 2}},
    }


def test_ratios_use_the_best_stock_detector_of_the_same_smallest_face() -> None:
    clip = {
        "40px": {"hog1": {"found": 10}, "cnn1": {"found": 20}, "facegate": {"found": 22}},
        "80px": {"hog0": {"found": 5}, "cnn": {"found": 20}, "facegate": {"found": 15}},
    }
    assert ratios({"clip": clip}) == {"clip_40px": 1.1, "clip_40px_to_hog1": 2.2, "clip_80px": 0.75}


def test_detection_names_missing_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "detectors", lambda _cnn_enlarged, _method: [])
    monkeypatch.setattr(detector_module, "MIN_FACE_SCORE", 0.0)  # which main sets
    folders = ["--pictures", str(tmp_path), "--no-faces", str(tmp_path)]
    plain = CliRunner().invoke(command.main, folders)
    assert plain.exit_code == 0
    assert f"{tmp_path}" in plain.stdout
    document = json.loads(CliRunner().invoke(command.main, ["--json", *folders]).stdout)
    assert len(document["missing"]) == 5
    assert document["floors"] == {}


def test_all_portraits_exist(shared: Path) -> None:
    assert [file for file in PORTRAITS if not (shared / "portraits" / file).exists()] == []


def test_labels_match_perfect_detections(shared: Path) -> None:
    """A detector that finds every face has matches for all faces, and no false detection."""
    for samples in (groups(shared / "groups"), islice(perturbed(shared / "portraits"), 15)):
        for sample in samples:
            assert match([box_around(face) for face in sample.faces], sample.faces) == len(sample.faces)


def box_around(face: Face) -> Box:
    half = face.size / 2
    return Box(round(face.x - half), round(face.y - half), round(face.x + half), round(face.y + half))


def test_faint_faces_are_neither_found_nor_false() -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    finds_one = Detector(40, "facegate", lambda _: [Detection(HERE, 1)])
    figures = summary(list(detect_all([Sample("clip", picture, [], [FACE])], [finds_one])))["40px"]["facegate"]
    assert (figures["found"], figures["false"]) == (0, 0)


def test_false_detections_are_compared_with_hog() -> None:
    sizes = {
        "40px": {"hog1": {"false": 2}, "facegate": {"false": 2}},
        "80px": {"hog0": {"false": 0}, "facegate": {"false": 1}},
    }
    assert floors({"no_faces": sizes, "ratios": {}}) == {"no_faces_40px": True, "no_faces_80px": False}


def test_set_without_faces_names_the_command_that_prepares_it(tmp_path: Path) -> None:
    with pytest.raises(MissingPictures, match=r"python -m benchmarks\.detection\.no_faces"):
        next(pictures_without_faces(tmp_path))


def test_every_frame_of_the_clip_has_labels(shared: Path) -> None:
    """Frames 16 to 27 show only faces that are dark or turned away."""
    samples = list(clip(shared / "clip"))
    assert len(samples) == sum(len(frames) for frames in SCENES.values())
    assert sum(len(sample.faces) for sample in samples) == 171
    assert [n for n, sample in enumerate(samples) if not sample.faces] == list(range(16, 28))
    assert all(sample.faint for sample in samples[16:28])
