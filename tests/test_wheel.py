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

from gateway.vision.engines.model_files import BUNDLED_ROLES, DLIB_MODELS, MEDIAPIPE_MODELS, MODEL_FILES, ModelPackage
from scripts import bundle_models
from scripts.check_wheel import gateway_environment, name_in
from tests.support import ROOT, frame, free_port, prepare_data_folder, wait_for

PACKAGES = (DLIB_MODELS, MEDIAPIPE_MODELS)
BUNDLED = {MODEL_FILES[role].name: MODEL_FILES[role].sha256 for role in BUNDLED_ROLES}
MAX_WHEEL_BYTES = 35_000_000


def write_registry(folder: Path, *, damage: str = "") -> None:
    """Write wheels of the packages with the models, for pip. ``damage``: a file to change."""
    for package in PACKAGES:
        packed = distribution(package.name)
        name = f"{package.name.replace('-', '_')}-{packed.version}-py3-none-any.whl"
        with zipfile.ZipFile(folder / name, "w") as wheel:
            for file in packed.files or ():
                if file.name in BUNDLED or (file.suffix != ".dat" and not str(file).endswith((".pyc", "INSTALLER"))):
                    wheel.writestr(str(file), file.read_binary() + (b"!" if file.name == damage else b""))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    # This environment has the models, so nothing is downloaded.
    env = {**os.environ, "PIP_NO_INDEX": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def unpacked(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the wheel, and empty packages that hide the models' packages of this environment."""
    folder = tmp_path_factory.mktemp("unpacked")
    wheel.extractall(folder)
    for package in PACKAGES:
        (folder / package.module).mkdir()
        (folder / package.module / "__init__.py").touch()
    return folder


def test_wheel_contains_the_models_without_that_of_68_points(wheel: zipfile.ZipFile) -> None:
    names = [name for name in wheel.namelist() if re.search(r"\.(tflite|dat|onnx)$", name)]
    assert {Path(name).name: hashlib.sha256(wheel.read(name)).hexdigest() for name in names} == BUNDLED
    assert {str(Path(name).parent) for name in names} == {"gateway/vision/engines/bundle"}
    assert MODEL_FILES["landmarks_68"].name not in BUNDLED


def test_wheel_is_small(wheel: zipfile.ZipFile) -> None:
    assert Path(str(wheel.filename)).stat().st_size < MAX_WHEEL_BYTES


def test_wheel_contains_the_console(wheel: zipfile.ZipFile) -> None:
    files = ROOT / "gateway" / "rest" / "console" / "files"
    packed = {name for name in wheel.namelist() if name.startswith("gateway/rest/console/files/")}
    assert packed == {path.relative_to(ROOT).as_posix() for path in files.rglob("*") if path.is_file()}
    assert "gateway/rest/console/files/index.html" in packed


def test_wheel_contains_the_licences_of_the_models(wheel: zipfile.ZipFile) -> None:
    licences = {Path(name).name: wheel.read(name).decode() for name in wheel.namelist() if "/licenses/" in name}
    assert licences.keys() == {"LICENSE", "NOTICE", "Apache-2.0.txt"}
    assert set(re.findall(r"^(\S+\.(?:tflite|dat))$", licences["NOTICE"], re.MULTILINE)) == BUNDLED.keys()
    assert "Apache License" in licences["Apache-2.0.txt"]


def test_wheel_needs_neither_tensorflow_nor_a_compiler(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    requirements = message_from_bytes(wheel.read(name)).get_all("Requires-Dist") or []
    needed = {re.split(r"[^\w.-]", each)[0] for each in requirements if "extra ==" not in each}
    assert {"dlib-bin", "openvino"} <= needed
    assert not needed & {"dlib", "face-recognition", "face-recognition-models", "setuptools"}
    assert not needed & {package.name for package in PACKAGES}
    assert [each for each in requirements if "'landmarks-dlib'" in each] == [
        f"{DLIB_MODELS.name}=={DLIB_MODELS.version}; extra == 'landmarks-dlib'"
    ]


@pytest.fixture
def without_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build environment without the packages of the models, as pip makes it. Return the folder of pip's registry."""

    def no_folder(package: ModelPackage) -> None:
        return None

    monkeypatch.setattr(bundle_models, "package_folder", no_folder)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "registry"))
    (tmp_path / "registry").mkdir()
    return tmp_path / "registry"


def test_models_are_downloaded_if_they_are_not_installed(without_packages: Path, tmp_path: Path) -> None:
    write_registry(without_packages)
    found = {path.name: path.read_bytes() for path in bundle_models.bundled_files(tmp_path)}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in found.items()} == BUNDLED


@pytest.mark.parametrize(
    ("damage", "package"),
    [("face_landmark.tflite", MEDIAPIPE_MODELS), ("shape_predictor_5_face_landmarks.dat", DLIB_MODELS)],
)
def test_damaged_model_ends_the_build(
    without_packages: Path, tmp_path: Path, damage: str, package: ModelPackage
) -> None:
    write_registry(without_packages, damage=damage)
    with pytest.raises(SystemExit, match=f"{damage} of {package.name} is not the published file"):
        list(bundle_models.bundled_files(tmp_path))


def test_registry_without_the_models_ends_the_build(without_packages: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"pip cannot download {DLIB_MODELS.name}=={DLIB_MODELS.version}"):
        list(bundle_models.bundled_files(tmp_path))


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
    code = "from gateway.vision.engines.model_files import *; check_models(BUNDLED_ROLES); print(BUNDLE)"
    env = {**os.environ, "PYTHONPATH": str(unpacked)}
    done = subprocess.run([sys.executable, "-c", code], cwd=unpacked, env=env, capture_output=True, text=True)
    assert done.stdout.strip() == str(unpacked / "gateway" / "vision" / "engines" / "bundle"), done.stderr


def test_gateway_of_the_wheel_names_a_person(unpacked: Path) -> None:
    port = free_port()
    with gateway_running(unpacked, port):
        # The gateway first converts the models. The people of the folder become known one after the other.
        wait_for(lambda: name_in(frame("obama_1"), port) == "Barack Obama", 180)
        wait_for(lambda: name_in(frame("hopper_1"), port) == "Grace Hopper")
