from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.vision.models import FILES, model_digests, model_files

PACKAGE = "face_recognition_models"


@pytest.fixture
def empty_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Takes the place of the installed one, and has no models."""
    package = tmp_path / PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return package


def test_every_model_is_there() -> None:
    assert {role: path.name for role, path in model_files().items()} == FILES


def test_a_digest_is_the_sha_256_of_the_file() -> None:
    assert model_digests() == {
        role: hashlib.sha256(path.read_bytes()).hexdigest() for role, path in model_files().items()
    }


def test_the_descriptors_come_from_the_network_that_the_decision_was_measured_with() -> None:
    assert model_digests()["descriptor"] == "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"


def test_a_missing_package_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(StartError, match="make setup"):
        model_files()


def test_a_missing_file_is_named(empty_package: Path) -> None:
    with pytest.raises(StartError, match=str(empty_package / "models" / FILES["detector"])):
        model_files()


def test_every_missing_file_is_noticed(empty_package: Path) -> None:
    (empty_package / "models").mkdir()
    for name in list(FILES.values())[:-1]:
        (empty_package / "models" / name).touch()
    with pytest.raises(StartError, match="descriptor model"):
        model_files()
