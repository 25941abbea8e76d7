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
    """Takes the place of the installed one, and has no models."""
    package = tmp_path / PACKAGE
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return package


@pytest.fixture
def copied_package(empty_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same with all models but the largest."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", sys.path[1:])
        installed = [model_file(role) for role in MODEL_FILES if role != "landmarks_68"]
    for path in installed:
        shutil.copy(path, empty_package / "models")
    return empty_package


def test_every_model_is_there_and_the_published_one() -> None:
    check_models(MODEL_FILES)
    assert {role: model_file(role).name for role in MODEL_FILES} == {
        role: name for role, (name, _) in MODEL_FILES.items()
    }


def test_the_descriptors_come_from_the_network_that_the_decision_was_measured_with() -> None:
    assert MODEL_FILES["descriptor"][1] == "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"


def test_models_are_found_without_importing_their_package(empty_package: Path) -> None:
    """Which would end the process where setuptools is too new or absent."""
    (empty_package / "__init__.py").write_text("raise SystemExit('imported')")
    (empty_package / "models" / MODEL_FILES["detector"][0]).touch()
    assert model_file("detector").parent == empty_package / "models"


def test_a_missing_package_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(StartError, match="make setup"):
        model_file("detector")


@pytest.mark.parametrize("role", MODEL_FILES)
def test_a_missing_file_is_named(empty_package: Path, role: Role) -> None:
    path = empty_package / "models" / MODEL_FILES[role][0]
    with pytest.raises(StartError, match=f"{role} model {path} is missing"):
        model_file(role)
    with pytest.raises(StartError, match=f"{role} model {path} is missing"):
        check_models([role])


@pytest.mark.parametrize("role", ["detector", "landmarks_5", "descriptor"])
@pytest.mark.parametrize("where", [0, 0.5, 1])
def test_a_damaged_file_is_named(copied_package: Path, role: Role, where: float) -> None:
    path = copied_package / "models" / MODEL_FILES[role][0]
    data = bytearray(path.read_bytes())
    data[round(where * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    with pytest.raises(StartError, match=f"{role} model {path} is damaged: reinstall"):
        check_models(["descriptor", "landmarks_5", "detector"])


@pytest.mark.parametrize("change", [b"", b"more"])
def test_a_file_too_short_or_too_long_is_damaged(copied_package: Path, change: bytes) -> None:
    path = copied_package / "models" / MODEL_FILES["detector"][0]
    path.write_bytes(path.read_bytes() + change if change else path.read_bytes()[:-1])
    with pytest.raises(StartError, match="damaged"):
        check_models(["detector"])


def test_models_that_nobody_asks_for_need_not_be_there(copied_package: Path) -> None:
    check_models(role for role in MODEL_FILES if role != "landmarks_68")
    with pytest.raises(StartError, match="landmarks_68"):
        check_models(MODEL_FILES)
