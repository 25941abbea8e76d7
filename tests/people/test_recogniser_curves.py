"""Curves of a recogniser of the user's own: measured, written, read, and refused where there are too few pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gateway.errors import GatewayError, StartError
from gateway.model import Analysis, Box, FoundFace, Image
from gateway.model.recipes import recogniser_recipe
from gateway.people.measurement import measurement_path, read_measurement, write_measurement
from gateway.people.recogniser_curves import RecogniserCurves, measure_recogniser, middle_descriptor
from tests.examples import descriptor, unit

RECIPE = recogniser_recipe("ab" * 32, 16)
NETWORK = Path("models/own.onnx")


def faces(people: int, pictures: int) -> tuple[list[str], list[np.ndarray]]:
    """Return names and descriptors of 16 dimensions, with some noise for each picture."""
    random = np.random.default_rng(0)
    middles = random.normal(size=(people, 16))
    names = [f"p{n}" for n in range(people) for _ in range(pictures)]
    return names, [unit(middles[n // pictures] + random.normal(size=16) / 3) for n in range(people * pictures)]


@pytest.fixture(scope="module")
def measured() -> RecogniserCurves:
    return measure_recogniser(*faces(60, 5), rate=0.01)


def test_curves_are_read_as_they_were_written(tmp_path: Path, measured: RecogniserCurves) -> None:
    path = write_measurement(tmp_path, RECIPE, "own", "some pictures", measured.curves, measured.typical)
    assert path == measurement_path(tmp_path, RECIPE)
    found = read_measurement(tmp_path, RECIPE, NETWORK)
    assert len(found.curves.by_pictures) == 5
    first = measured.curves["1"]["1"]
    assert found.curves.for_pictures(1).similarities.tolist() == first["similarity"]
    assert (found.typical is not None) == (len(measured.typical) > 0)
    assert found.similarity().compare(descriptor(1, 16), descriptor(1, 16)) >= 0.999


def test_measured_rate_holds_for_other_people(measured: RecogniserCurves, tmp_path: Path) -> None:
    write_measurement(tmp_path, RECIPE, "own", "", measured.curves, measured.typical)
    found = read_measurement(tmp_path, RECIPE, NETWORK)
    limit = found.curves.for_pictures(1).similarity_at(2)
    random = np.random.default_rng(5)
    strangers = np.stack([unit(random.normal(size=16)) for _ in range(400)])
    alike = found.similarity().probes(strangers[:200]) @ found.similarity().templates(strangers[200:]).T
    assert 0.003 < float((alike >= limit).mean()) < 0.03


def test_too_few_pictures_are_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(
        GatewayError, match=r"one mistake in 1,000 takes 10,000 comparisons.* 1 picture\(s\) there are \d+"
    ):
        measure_recogniser(*faces(20, 5), rate=0.001)
    with pytest.raises(GatewayError, match=r"for people with 3 picture\(s\) there are 0"):
        measure_recogniser(*faces(150, 2), rate=0.01)
    with pytest.raises(GatewayError, match="at least two people"):
        measure_recogniser(["p", "p"], [descriptor(1, 16)] * 2, rate=0.01)
    with pytest.raises(GatewayError, match="at least two people"):
        measure_recogniser([], [], rate=0.01)


def test_missing_curves_name_the_command(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"own\.onnx has no measured curves yet.*facegate calibrate --pictures"):
        read_measurement(tmp_path, RECIPE, NETWORK)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"curves": {}, "typical": [[1]]}', '{"curves": 1, "typical": []}']
)
def test_damaged_curves_are_refused(tmp_path: Path, content: str) -> None:
    path = measurement_path(tmp_path, RECIPE)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(StartError, match="cannot be read"):
        read_measurement(tmp_path, RECIPE, NETWORK)
    assert path.read_text() == content


def test_face_nearest_to_the_middle_counts() -> None:
    image = Image(100, 100, 1)
    corner, middle = FoundFace(Box(0, 0, 10, 10), descriptor(1)), FoundFace(Box(40, 40, 70, 70), descriptor(2))
    found = middle_descriptor(Analysis(image, (corner, middle), {}))
    assert found is not None
    assert found.tolist() == descriptor(2).tolist()
    assert middle_descriptor(Analysis(image, (), {})) is None


def test_file_of_an_earlier_version_has_no_curves_of_means(tmp_path: Path, measured: RecogniserCurves) -> None:
    single = {key: {"1": each["1"]} for key, each in measured.curves.items()}
    path = write_measurement(tmp_path, RECIPE, "own", "", single, measured.typical)
    content = json.loads(path.read_text())
    del content["same_cosine"]
    path.write_text(json.dumps(content))
    curves = read_measurement(tmp_path, RECIPE, NETWORK).curves
    assert (curves.max_probes, curves.same_cosine) == (1, None)


def test_curves_of_means_are_stored_if_they_reach_the_rate(measured: RecogniserCurves) -> None:
    assert all({"1", "2"} <= each.keys() for each in measured.curves.values())
    assert all(points["decades"][-1] >= 1.9 for each in measured.curves.values() for points in each.values())
    assert measured.same_cosine is not None
    assert 0.3 < measured.same_cosine < 1
