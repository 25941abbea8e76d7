from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner

from benchmarks import accuracy, calibration, faces
from benchmarks.accuracy import (
    Bools,
    Comparison,
    by_distance,
    by_similarity,
    decided,
    fewer,
    figures,
    genuine_pairs,
    impostors,
    interval,
    read_pairs,
    similarities,
    thresholds,
)
from benchmarks.faces import DescribedPictures, Vectors
from gateway.people.curves import CURVES_FILE
from gateway.people.labelled_pictures import labelled_pictures
from gateway.people.similarity import Similarity

STRANGERS = 2000


def by_cosine(probes: Vectors, templates: Vectors, found: Bools) -> Comparison:
    """Compare descriptors of any length by cosine."""
    unit = [each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-9) for each in (probes, templates)]
    return by_similarity(unit[0], unit[1], found, Similarity(None, probes.shape[1]))


def made(vectors: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(vectors, np.float32)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


def test_pictures_are_found_in_folders_or_by_lfw_names(tmp_path: Path) -> None:
    touch(tmp_path, "bo/2.png", "bo/1.JPG", "bo/notes.txt", "al_b_0002.jpg", "al_b_0001.webp", "logo.png", "_no/1.jpg")
    assert [(each.person, each.path.name) for each in labelled_pictures(tmp_path)] == [
        ("al_b", "al_b_0001.webp"),
        ("al_b", "al_b_0002.jpg"),
        ("bo", "1.JPG"),
        ("bo", "2.png"),
    ]


def test_six_pictures_of_a_person_are_used(tmp_path: Path) -> None:
    touch(tmp_path, *(f"bo_{n:04}.jpg" for n in range(9, 0, -1)), "al_0001.jpg")
    assert [each.path.stem[-1] for each in labelled_pictures(tmp_path)] == [*"1", *"123456"]


def test_pairs_are_all_of_one_person_and_all_of_two() -> None:
    people = np.array([0, 0, 0, 1, 2, 2])
    assert genuine_pairs(people).tolist() == [[0, 1], [0, 2], [1, 2], [4, 5]]
    same = by_cosine(np.ones((6, 2), np.float32), np.ones((6, 2), np.float32), np.ones(6, bool))
    assert len(impostors(same, people)) == 3 * 1 + 3 * 2 + 1 * 2


def test_earlier_picture_of_a_pair_is_enrolled() -> None:
    angles = np.radians([0, 20, 50])
    templates, probes = made([np.cos(angles), np.sin(angles)]).T, made([[1, 0], [0, 1], [1, 1]])
    compared = by_cosine(probes, templates, np.ones(3, bool))
    assert similarities(compared, np.array([[0, 1]])) == pytest.approx([0])
    assert sorted(impostors(compared, np.array([0, 0, 1]))) == pytest.approx([np.cos(np.radians(a)) for a in (45, 25)])


def test_by_distance_compares_like_stock() -> None:
    compared = by_distance(made([[1, 1], [1, 1.6], [4, 5]]), np.ones(3, bool))
    found = similarities(compared, np.array([[0, 1], [0, 2]]))
    assert [compared.shown(float(each)) for each in found] == pytest.approx([0.6, 5], abs=1e-5)


@pytest.mark.parametrize("block", [1, 7, 512])
def test_impostors_do_not_depend_on_the_block_size(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    people, found = np.sort(random.integers(0, 9, 40)), random.random(40) < 0.8
    probes, templates = made(random.normal(size=(2, 40, 8)))
    compared = by_cosine(probes, templates, found)
    monkeypatch.setattr(accuracy, "BLOCK_PICTURES", block)
    expected = [
        compared.templates[a] @ compared.probes[b]
        for a in range(40)
        for b in range(a + 1, 40)
        if people[a] != people[b] and found[a] and found[b]
    ]
    assert np.sort(impostors(compared, people)) == pytest.approx(np.sort(expected), abs=1e-6)


def test_threshold_lets_its_share_of_impostors_pass() -> None:
    alike = np.random.default_rng(0).permutation(np.arange(10_000, dtype=np.float32))
    assert thresholds(alike, [2, 100, 1_000, 10_000]) == [5_000, 9_900, 9_990, None]
    assert thresholds(np.arange(9, dtype=np.float32), [1]) == [None]


def test_face_that_was_not_found_is_a_miss() -> None:
    """200 people are on a circle, with their two pictures 0.3 steps apart. All found pairs match."""
    people = np.repeat(np.arange(200), 2)
    angles = 2 * np.pi * (people + np.tile([0, 0.3], 200)) / 200
    vectors = made([np.cos(angles), np.sin(angles)]).T
    all_found, found = np.ones(400, bool), np.arange(400) >= 10
    whole, partly = (figures(by_cosine(vectors, vectors, each), people) for each in (all_found, found))
    assert (whole["found"], partly["found"]) == (400, 390)
    assert whole["fnmr"] == {"0.01": 0, "0.001": 0, "0.0001": None, "0.00001": None}
    assert partly["fnmr"] == {"0.01": 0.025, "0.001": 0.025, "0.0001": None, "0.00001": None}
    low, high = partly["interval"]["0.01"]
    assert 0 < low < 0.025 < high < 0.06
    assert partly["interval"]["0.0001"] is partly["threshold"]["0.0001"] is None


def test_interval_resamples_people() -> None:
    """A person with a hundred pairs makes the interval no smaller than a person with one."""
    few = interval(np.array([True] * 100 + [False] * 100), np.repeat([0, 1], 100))
    many = interval(np.array([True] * 100 + [False] * 100), np.arange(200))
    assert few == [0, 1]
    assert many == pytest.approx([0.43, 0.57], abs=0.02)


def test_fewer_is_the_share_of_avoided_misses() -> None:
    stock = {"0.01": 0.0, "0.001": 0.1, "0.0001": 0.2, "0.00001": None}
    facegate = {"0.01": 0.0, "0.001": 0.06, "0.0001": 0.25, "0.00001": None}
    assert fewer(stock, facegate) == {"0.01": None, "0.001": 0.4, "0.0001": -0.25, "0.00001": None}


def test_read_pairs_returns_paths_in_the_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "bo/b.jpg")
    (tmp_path / "pairs.csv").write_text("a.jpg,bo/b.jpg,0\n\n bo/b.jpg , a.jpg , 1 \n")
    a, b = tmp_path / "a.jpg", tmp_path / "bo/b.jpg"
    assert read_pairs(tmp_path / "pairs.csv", tmp_path) == [(a, b, False), (b, a, True)]


def test_read_pairs_reports_all_errors_with_their_lines(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "pairs.csv").write_text("a.jpg,a.jpg,1\na.jpg,1\na.jpg,a.jpg,yes\na.jpg,gone.jpg,0\n")
    with pytest.raises(click.ClickException) as error:
        read_pairs(tmp_path / "pairs.csv", tmp_path)
    _, *lines = str(error.value).splitlines()
    assert [line.split()[1].strip(":") for line in lines] == ["2", "3", "4"]
    assert str(tmp_path / "gone.jpg") in lines[2]


def test_file_without_pairs_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("\n")
    with pytest.raises(click.ClickException, match="no pairs"):
        read_pairs(tmp_path / "pairs.csv", tmp_path)


def test_decided_uses_default_settings() -> None:
    """Stock: pictures 1 to 3 have distances of 0.5, 0.7 and 1 from picture 0. Facegate: pictures 0 and 1 match."""
    stock = by_distance(made([[0, 0], [0.5, 0], [0.7, 0], [1, 0]]), np.ones(4, bool))
    vectors = made([[1, 0], [1, 0.1], [0, 1], [1, 0]])
    facegate = by_cosine(vectors, vectors, np.array([True, True, True, False]))
    pairs, same = np.array([[0, 1], [0, 2], [0, 3], [1, 2]]), np.array([True, False, True, False])
    assert decided({"stock": stock, "facegate": facegate}, pairs, same) == {
        "pairs": 4,
        "same": 2,
        "different": 2,
        "stock": {"tpr": 0.5, "fmr": 0.5},
        "facegate": {"tpr": 0.5, "fmr": 0},
    }
    assert decided({"stock": stock, "facegate": facegate}, pairs[:1], same[:1])["stock"] == {"tpr": 1, "fmr": None}


def test_folder_without_pairs_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "al_0001.jpg", "bo_0001.jpg")
    result = CliRunner().invoke(accuracy.main, ["--pictures", str(tmp_path)])
    assert result.exit_code == 1
    assert "two people" in result.output


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of 200 people with two pictures each. Both engines return noisy descriptors."""
    touch(tmp_path, *(f"person{n:03}_{m:04}.jpg" for n in range(200) for m in (1, 2)))
    random = np.random.default_rng(0)
    vectors = made(np.repeat(random.normal(size=(200, 128)), 2, axis=0) + random.normal(size=(400, 128)))
    seen = DescribedPictures(np.ones(400, bool), vectors, vectors)
    for module in (accuracy, calibration):
        monkeypatch.setattr(module, "describe", lambda paths, name: seen)
    monkeypatch.setattr(accuracy, "measure_ms_per_face", lambda paths: {"stock": 150.0, "facegate": 10.0})
    return tmp_path


def test_accuracy_prints_one_json_document(described: Path) -> None:
    result = CliRunner().invoke(accuracy.main, ["--pictures", str(described), "--json"])
    document = json.loads(result.stdout)
    assert list(document) == [
        "pictures", "people", "genuine_pairs", "impostor_pairs", "stock", "facegate", "fewer_misses",
    ]  # fmt: skip
    assert (document["pictures"], document["people"], document["genuine_pairs"]) == (400, 200, 200)
    assert document["impostor_pairs"] == 400 * 399 // 2 - 200
    for name in ("stock", "facegate"):
        assert list(document[name]) == ["found", "fnmr", "interval", "threshold", "ms_per_face"]
        assert list(document[name]["fnmr"]) == ["0.01", "0.001", "0.0001", "0.00001"]
    assert "0.00001" in result.stderr
    assert document["stock"]["fnmr"]["0.00001"] is None


def test_accuracy_prints_a_table(described: Path) -> None:
    result = CliRunner().invoke(accuracy.main, ["--pictures", str(described)])
    assert result.exit_code == 0
    assert "400 pictures of 200 people" in result.stdout
    assert "ms a face" in result.stdout


@pytest.mark.parametrize("engine", ["facegate", "dlib-hog"])
def test_calibration_prints_the_curve(described: Path, engine: str) -> None:
    result = CliRunner().invoke(
        calibration.main, ["--pictures", str(described), "--engine", engine, "--json"], catch_exceptions=False
    )
    curves = json.loads(result.stdout)["curves"]
    # People have two pictures: to enrol, and to show.
    assert [list(curves[number]) for number in "12345"] == [["1", "2"], ["1", "2"], [], [], []]
    for number in "12":
        points = curves[number]["1"]
        assert points["decades"][-1] <= math.log10(points["pairs"] / 10) < points["decades"][-1] + 1
        for name in ("similarity", "decades"):
            assert points[name] == sorted(points[name])
        assert all(low <= high for low, high in zip(points["low"], points["high"], strict=True))
    missed = curves["1"]["1"]["missed"]
    assert missed[0] == 0
    assert missed == sorted(missed)
    assert set(curves["2"]["1"]["missed"]) == {None}  # no person has a third picture
    if engine == "dlib-hog":
        half = curves["1"]["1"]["similarity"][0]
        assert half == pytest.approx(0, abs=0.01)  # half of all pairs of strangers have a positive cosine
    before = CURVES_FILE.read_bytes()
    refused = CliRunner().invoke(calibration.main, ["--pictures", str(described), "--engine", engine, "--write"])
    assert refused.exit_code == 1
    assert "too few people" in refused.output
    assert CURVES_FILE.read_bytes() == before


def test_both_engines_describe_real_people(shared: Path, tmp_path: Path) -> None:
    """The engines run in real processes, with two people with two pictures each, and a picture without a face."""
    for person in ("Abdoulaye_Wade", "Adam_Sandler"):
        for number in (1, 2):
            name = f"{person}_{number:04}.jpg"
            (tmp_path / name).symlink_to(shared / "press" / name)
    PIL.Image.new("RGB", (250, 250), "grey").save(tmp_path / "Adam_Sandler_0003.jpg")
    (tmp_path / "pairs.csv").write_text(
        "Abdoulaye_Wade_0001.jpg,Abdoulaye_Wade_0002.jpg,1\n"
        "Abdoulaye_Wade_0001.jpg,Adam_Sandler_0001.jpg,0\n"
        "Adam_Sandler_0001.jpg,Adam_Sandler_0003.jpg,1\n"
    )
    result = accuracy.measure(tmp_path, tmp_path / "pairs.csv")
    assert (result["pictures"], result["genuine_pairs"], result["impostor_pairs"]) == (5, 4, 6)
    for name in ("stock", "facegate"):
        assert result[name]["found"] == 4
        assert result[name]["ms_per_face"] > 0
        assert result["pairs"][name] == {"tpr": 0.5, "fmr": 0}


def test_describe_finds_no_face_in_other_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert faces._stock_sees(b"no picture") is None
    assert faces._facegate_sees(b"no picture") is None
    assert capsys.readouterr().err.count("cannot read") == 2
