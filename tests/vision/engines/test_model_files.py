from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.vision.engines.model_files import MODEL_FILES, Role, check_models, model_file

PACKAGE = "face_recognition_models"


@pytest.fixture
def empty_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the installed package by one without models."""
    package = tmp_path / PACKAGE
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return package


@pytest.fixture
def copied_package(empty_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the installed package by one with all models except the largest."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", sys.path[1:])
        installed = [model_file(role) for role in MODEL_FILES if role != "landmarks_68"]
    for path in installed:
        shutil.copy(path, empty_package / "models")
    return empty_package


def test_installed_models_are_the_published_ones() -> None:
    check_models(MODEL_FILES)
    assert {role: model_file(role).name for role in MODEL_FILES} == {
        role: name for role, (name, _) in MODEL_FILES.items()
    }


def test_descriptor_model_is_the_one_of_the_measured_decision() -> None:
    assert MODEL_FILES["descriptor"][1] == "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"


def test_model_file_does_not_import_the_package(empty_package: Path) -> None:
    """The import would end the process if setuptools is too new or missing."""
    (empty_package / "__init__.py").write_text("raise SystemExit('imported')")
    (empty_package / "models" / MODEL_FILES["detector"][0]).touch()
    assert model_file("detector").parent == empty_package / "models"


def test_model_file_reports_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(StartError, match="make setup"):
        model_file("detector")


@pytest.mark.parametrize("role", MODEL_FILES)
def test_model_file_names_a_missing_file(empty_package: Path, role: Role) -> None:
    path = empty_package / "models" / MODEL_FILES[role][0]
    with pytest.raises(StartError, match=f"{role} model {path} is missing"):
        model_file(role)
    with pytest.raises(StartError, match=f"{role} model {path} is missing"):
        check_models([role])


@pytest.mark.parametrize("role", ["detector", "landmarks_5", "descriptor"])
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_check_models_names_a_damaged_file(copied_package: Path, role: Role, where: float) -> None:
    path = copied_package / "models" / MODEL_FILES[role][0]
    data = bytearray(path.read_bytes())
    data[round(where * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    with pytest.raises(StartError, match=f"{role} model {path} is damaged: reinstall"):
        check_models(["descriptor", "landmarks_5", "detector"])


@pytest.mark.parametrize("change", [b"", b"more"])
def test_check_models_refuses_a_file_of_another_length(copied_package: Path, change: bytes) -> None:
    path = copied_package / "models" / MODEL_FILES["detector"][0]
    path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    with pytest.raises(StartError, match="damaged"):
        check_models(["detector"])


def test_check_models_ignores_models_that_are_not_needed(copied_package: Path) -> None:
    check_models(role for role in MODEL_FILES if role != "landmarks_68")
    with pytest.raises(StartError, match="landmarks_68"):
        check_models(MODEL_FILES)
