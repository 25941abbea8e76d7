"""A recogniser of the user's own, from the measurement of its curves to names, and back to dlib's network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from gateway.app import Gateway, running
from gateway.cli.main import main
from gateway.config import Settings
from gateway.errors import StartError
from gateway.model.caller import CLI_CALLER
from gateway.people.curves import CURVES_FILE
from gateway.people.measurement import write_measurement
from gateway.people.similarity import typical_faces
from gateway.people.wiring import open_for_command
from gateway.store.records import Picture, StoredFace
from gateway.vision.engines.recogniser import recipe_of
from gateway.vision.engines.registry import ENGINES
from tests.conftest import settings
from tests.e2e.test_engines import recognised_name, skipped_pictures
from tests.examples import descriptor
from tests.onnx_files import write_dlib_onnx
from tests.support import Broker, frame, prepare_data_folder

DIMENSIONS = 120
"""A projection to so many of 128 dimensions changes a cosine little, so that the curves of stock dlib fit."""

OFTEN = {"decision": {"max_false_match": 0.5, "max_false_identification": 0.5}}
"""Rates for curves of few pictures: one mistake in ten takes 100 comparisons, and eight people with five pictures have
120."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recogniser") / "short.onnx"
    write_dlib_onnx(path, DIMENSIONS)
    return path


def write_curves(configured: Settings) -> None:
    curves = json.loads(CURVES_FILE.read_text())["curves"]["stock"]
    nobody = typical_faces()[:0]
    write_measurement(configured.data, recipe_of(configured), "short", "for a test", curves, nobody)


def check_names(gateway: Gateway, broker: Broker) -> None:
    assert skipped_pictures(gateway) == ()
    assert len(gateway.people.gallery) == 3
    assert recognised_name(broker, "own", "obama_1") == "Barack Obama"
    assert recognised_name(broker, "own", "hopper_1") == "Grace Hopper"
    assert recognised_name(broker, "own", "stranger_2") is None


def test_people_are_recognised_by_another_recogniser_and_by_dlib_again(
    tmp_path: Path, broker: Broker, network: Path
) -> None:
    """The folder of known people is gone after the first start, so that only the stored chips are left."""
    common = {"mqtt": {"base": "own"}, "workers": {"processes": 1}}
    with running(settings(tmp_path / "data", broker, **common)) as gateway:
        check_names(gateway, broker)
    own = settings(tmp_path / "data", broker, **common, people={"folder": tmp_path / "gone"}, recogniser=network)
    with pytest.raises(StartError, match="no measured curves yet"), running(own):
        pass
    write_curves(own)
    with running(own) as gateway:
        check_names(gateway, broker)
        _, faces = gateway.people.store.faces.read_faces(recipe_of(own))
        assert faces.shape[1] == DIMENSIONS
    with running(settings(tmp_path / "data", broker, **common, people={"folder": tmp_path / "gone"})) as gateway:
        check_names(gateway, broker)


def test_switch_without_chips_is_refused_and_deletes_nothing(tmp_path: Path, broker: Broker, network: Path) -> None:
    own = settings(tmp_path / "data", broker, people={"folder": tmp_path / "none"}, recogniser=network)
    write_curves(own)
    before = own.model_copy(update={"recogniser": None})
    picture = Picture("d" * 64, "rest", ENGINES["facegate"].recipe, StoredFace(descriptor(1), None))
    with open_for_command(before) as people:
        people.store.people.enrol("Ada", [picture], CLI_CALLER)
    with pytest.raises(StartError, match=r"1 enrolled people cannot be described again.*: Ada\."), running(own):
        pass
    with open_for_command(before) as people:
        assert "ada" in people.gallery


def calibrate(folder: Path, network: Path | None, pictures: Path, *options: str, **changes: object) -> Result:
    """Run ``facegate calibrate --pictures`` with one worker process."""
    content = {
        "data": str(prepare_data_folder(folder / "data")),
        "workers": {"processes": 1},
        **({"recogniser": str(network)} if network else {}),
        **changes,
    }
    (folder / "gateway.yaml").write_text(yaml.safe_dump(content))
    arguments = ["calibrate", "--config", str(folder / "gateway.yaml"), "--pictures", str(pictures), *options]
    return CliRunner().invoke(main, arguments)


def write_people(folder: Path, people: int) -> Path:
    """Write a folder of people with five equal pictures each, and a file that is no picture."""
    faces = ("obama_1", "biden_2", "hopper_1", "stranger_1")
    for person in range(people):
        (folder / f"person {person}").mkdir(parents=True)
        for number in range(5):
            (folder / f"person {person}" / f"{number}.jpg").write_bytes(frame(faces[person % len(faces)]))
    (folder / "person 0" / "6.jpg").write_bytes(b"no picture")
    return folder


def test_calibration_writes_curves_with_which_the_gateway_opens(tmp_path: Path, network: Path) -> None:
    done = calibrate(tmp_path, network, write_people(tmp_path / "people", 8), "--write", **OFTEN)
    assert done.exit_code == 0, done.output
    assert "6.jpg: " in done.output
    assert "40 pictures of 8 people" in done.output
    assert "the curves of dlib are written: " in done.output
    own = Settings(data=tmp_path / "data", recogniser=network)
    with open_for_command(own) as opened:
        assert opened.rules.pictures.recipe == recipe_of(own)
        assert len(opened.gallery) == 0


def test_calibration_refuses_too_few_pictures(tmp_path: Path, network: Path) -> None:
    done = calibrate(tmp_path, network, write_people(tmp_path / "people", 2), "--write")
    assert done.exit_code == 1
    assert "too few pictures for curves: one mistake in 1,000 takes 10,000 comparisons" in done.output
    assert not (tmp_path / "data" / "recognisers").exists()


def test_calibration_with_pictures_needs_a_recogniser(tmp_path: Path) -> None:
    done = calibrate(tmp_path, None, tmp_path)
    assert done.exit_code == 1
    assert "the setting recogniser is not set" in done.output


def test_calibration_reports_a_network_that_cannot_be_used(tmp_path: Path, network: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    (tmp_path / "bad.yaml").write_text(network.with_suffix(".yaml").read_text())
    done = calibrate(tmp_path, tmp_path / "bad.onnx", write_people(tmp_path / "people", 8), **OFTEN)
    assert done.exit_code == 1
    assert "bad.onnx cannot be used by OpenVINO" in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "options", [["--write"], ["--pictures", ".", "--json"], ["--pictures", ".", "--plot", "x.png"]]
)
def test_options_that_do_not_belong_together_are_refused(options: list[str]) -> None:
    done = CliRunner().invoke(main, ["calibrate", *options])
    assert done.exit_code == 2
    assert "--pictures" in done.output
