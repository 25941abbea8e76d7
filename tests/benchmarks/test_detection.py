from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import detection
from benchmarks.detection import PERTURBATIONS, PORTRAITS, Detector, Face, Sample, detect_all, match, ratios, summary
from gateway.model import Box
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


@pytest.mark.parametrize("kind", PERTURBATIONS)
@pytest.mark.parametrize("mark", [(150, 80), (40, 200), (290, 30)])
def test_perturbation_returns_the_new_place_of_points(kind: str, mark: tuple[int, int]) -> None:
    picture = np.zeros((240, 320, 3), np.uint8)
    cv2.circle(picture, mark, 6, (255, 255, 255), -1)
    changed, transform = PERTURBATIONS[kind](picture, FACE)
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


def outcome_of(*detectors: Detector) -> dict[str, Any]:
    """Return the summary of three samples with three faces together."""
    picture = np.zeros((240, 320, 3), np.uint8)
    samples = [Sample("plain", picture, [FACE]), Sample("plain", picture, []), Sample("other", picture, [FACE, FACE])]
    return summary(list(detect_all(samples, detectors)), labelled=True)


def test_summary_counts_the_faces_of_each_detector() -> None:
    hog, facegate_found = Detector(40, "hog1", lambda _: []), Detector(40, "facegate", lambda _: [HERE, HERE])
    result = outcome_of(hog, facegate_found)
    figures = result["40px"]
    assert result["pictures"] == 3
    assert result["labelled"] == 3
    assert (figures["hog1"]["found"], figures["hog1"]["false"]) == (0, 0)
    assert (figures["facegate"]["found"], figures["facegate"]["false"]) == (3, 3)
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
    monkeypatch.setattr(detection, "detectors", lambda _cnn_enlarged: [])
    monkeypatch.setattr(detector_module, "MIN_FACE_SCORE", 0.0)  # which main sets
    plain = CliRunner().invoke(detection.main, ["--pictures", str(tmp_path)])
    assert plain.exit_code == 0
    assert f"{tmp_path}" in plain.stdout
    document = json.loads(CliRunner().invoke(detection.main, ["--json", "--pictures", str(tmp_path)]).stdout)
    assert len(document["missing"]) == 3
    assert document["floors"] == {}


def test_all_portraits_exist(shared: Path) -> None:
    assert [file for file in PORTRAITS if not (shared / "portraits" / file).exists()] == []


def test_labels_match_perfect_detections(shared: Path) -> None:
    """A detector that finds every face has matches for all faces, and no false detection."""
    for samples in (detection.groups(shared / "groups"), islice(detection.perturbed(shared / "portraits"), 15)):
        for sample in samples:
            assert sample.faces is not None
            assert match([box_around(face) for face in sample.faces], sample.faces) == len(sample.faces)


def box_around(face: Face) -> Box:
    half = face.size / 2
    return Box(round(face.x - half), round(face.y - half), round(face.x + half), round(face.y + half))
