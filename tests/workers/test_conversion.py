from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import StartError
from gateway.vision.engines.conversion import converted_models_folder, damaged_files
from gateway.workers import conversion as converter
from gateway.workers.conversion import ensure_converted
from tests import support


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data folder with a copy of the converted models. A test may damage it."""
    folder = converted_models_folder(tmp_path)
    shutil.copytree(support.models(), folder)
    return tmp_path


@pytest.fixture
def broken_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace Python by the script of this path, which the test has to write."""
    python = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    return python


def script(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o700)


def inode(folder: Path) -> int:
    return folder.stat().st_ino


def conversion_records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the log records of the conversion, without those of other tests' gateways."""
    return [record for record in caplog.records if record.name == converter.__name__]


def test_ensure_converted_converts_once_and_reports_progress(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = ensure_converted(tmp_path / "data")
    assert folder == converted_models_folder(tmp_path / "data")
    assert damaged_files(folder) == []
    assert "converting the models, once: 1 of 5" in capfd.readouterr().err
    before = inode(folder)
    assert ensure_converted(tmp_path / "data") == folder
    assert inode(folder) == before
    assert capfd.readouterr() == ("", "")


def test_ensure_converted_keeps_intact_models(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = inode(converted_models_folder(data))
    assert ensure_converted(data) == converted_models_folder(data)
    assert inode(converted_models_folder(data)) == before
    assert capfd.readouterr().err == ""


def test_ensure_converted_replaces_a_damaged_file_with_a_warning(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = converted_models_folder(data) / "descriptor-f32.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        folder = ensure_converted(data)
    assert damaged_files(folder) == []
    (record,) = conversion_records(caplog)
    assert record.levelname == "WARNING"
    assert str(folder) in record.getMessage()
    assert "descriptor-f32.bin" in record.getMessage()
    assert path.read_bytes() == (support.models() / "descriptor-f32.bin").read_bytes()


def test_ensure_converted_replaces_a_missing_file(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (converted_models_folder(data) / "detector-int8.xml").unlink()
    assert damaged_files(ensure_converted(data)) == []
    assert [record.levelname for record in conversion_records(caplog)] == ["WARNING"]


def test_first_conversion_logs_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ensure_converted(tmp_path)
    assert conversion_records(caplog) == []


def test_ensure_converted_removes_files_of_an_interrupted_conversion(tmp_path: Path) -> None:
    left = converted_models_folder(tmp_path).with_suffix(".new")
    left.mkdir(parents=True)
    (left / "descriptor-f32.xml").write_bytes(b"half")
    assert damaged_files(ensure_converted(tmp_path)) == []
    assert not left.exists()


def test_only_one_of_two_simultaneous_processes_converts(tmp_path: Path) -> None:
    """Regression: a command and the gateway's first start wrote into the same folder, and both failed."""
    folder = converted_models_folder(tmp_path)
    command = [sys.executable, "-m", "gateway.vision.engines.conversion", str(folder)]
    two = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    messages = [process.communicate(timeout=120)[1] for process in two]
    assert [process.returncode for process in two] == [0, 0], messages
    assert sum("1 of 5" in text for text in messages) == 1
    assert damaged_files(folder) == []


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of converted models in an installation of the tests' own, with a copy of them."""
    monkeypatch.setattr(converter, "INSTALLATION", tmp_path / "installation")
    return Path(shutil.copytree(support.models(), converted_models_folder(tmp_path / "installation")))


def test_models_of_the_installation_are_used_and_nothing_is_written(tmp_path: Path, installation: Path) -> None:
    assert ensure_converted(tmp_path / "data") == installation
    assert not (tmp_path / "data").exists()


def test_damaged_models_of_the_installation_are_replaced_by_own_ones(
    data: Path, installation: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (installation / "detector-int8.bin").write_bytes(b"damaged")
    assert ensure_converted(data) == converted_models_folder(data)
    (record,) = conversion_records(caplog)
    assert str(installation) in record.getMessage()
    assert "detector-int8.bin" in record.getMessage()


def test_models_of_another_version_in_the_installation_are_not_used(data: Path, installation: Path) -> None:
    installation.rename(installation.with_name("0123456789abcdef"))
    assert ensure_converted(data) == converted_models_folder(data)


def test_conversion_without_a_folder_converts_into_the_installation(tmp_path: Path) -> None:
    """The build of the container runs this. The copy has no other files than the package's own."""
    package = Path(shutil.copytree(support.ROOT / "gateway", tmp_path / "gateway"))
    folder = converted_models_folder(package / "vision" / "engines")
    shutil.rmtree(folder.parent, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-m", "gateway.vision.engines.conversion"],
        cwd=tmp_path,
        check=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert damaged_files(folder) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_ensure_converted_reports_a_data_folder_without_write_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StartError, match=f"could not be converted into {tmp_path}"):
        ensure_converted(tmp_path)


def test_ensure_converted_reports_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    """The file stands for any reason to fail. A read-only folder would not: root may write into it."""
    (tmp_path / "models").touch()
    with pytest.raises(StartError, match=f"could not be converted into {converted_models_folder(tmp_path)}"):
        ensure_converted(tmp_path)


def test_ensure_converted_reports_a_missing_python(tmp_path: Path, broken_python: Path) -> None:
    with pytest.raises(StartError, match=f"could not be converted: .*{broken_python}"):
        ensure_converted(tmp_path / "data")


def test_ensure_converted_reports_a_failed_conversion(tmp_path: Path, broken_python: Path) -> None:
    script(broken_python, "exit 3")
    with pytest.raises(StartError, match="could not be converted into"):
        ensure_converted(tmp_path / "data")


def test_ensure_converted_reports_a_killed_conversion(tmp_path: Path, broken_python: Path) -> None:
    """A system without free memory may kill the process."""
    script(broken_python, "kill -9 $$")
    with pytest.raises(StartError, match="could not be converted into"):
        ensure_converted(tmp_path / "data")


def test_ensure_converted_reports_a_conversion_without_files(tmp_path: Path, broken_python: Path) -> None:
    script(broken_python, "exit 0")
    with pytest.raises(StartError, match="could not be converted into"):
        ensure_converted(tmp_path / "data")


def test_ensure_converted_ends_a_conversion_after_the_timeout(
    tmp_path: Path, broken_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.workers.conversion.CONVERSION_TIMEOUT_S", 0.2)
    script(broken_python, "exec sleep 60")
    with pytest.raises(StartError, match="timed out"):
        ensure_converted(tmp_path / "data")


def test_failed_conversion_keeps_the_old_models(data: Path, broken_python: Path) -> None:
    """A damaged model is removed only after a new one is complete."""
    path = converted_models_folder(data) / "detector-f32.bin"
    path.write_bytes(b"damaged")
    script(broken_python, "exit 3")
    with pytest.raises(StartError):
        ensure_converted(data)
    assert damaged_files(converted_models_folder(data)) == ["detector-f32.bin"]
