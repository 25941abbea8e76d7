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
    """A data folder with a copy of the models, which may be damaged."""
    folder = converted_models_folder(tmp_path)
    shutil.copytree(support.models(), folder)
    return tmp_path


@pytest.fixture
def broken_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands where Python does; what it does is still to be written."""
    python = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(python))
    return python


def script(path: Path, lines: str) -> None:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o700)


def inode(folder: Path) -> int:
    return folder.stat().st_ino


def of_the_converter(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """The gateway of other tests logs too."""
    return [record for record in caplog.records if record.name == converter.__name__]


def test_models_are_converted_once_and_it_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = ensure_converted(tmp_path / "data")
    assert folder == converted_models_folder(tmp_path / "data")
    assert damaged_files(folder) == []
    assert "converting dlib's models, once: 1 of 3" in capfd.readouterr().err
    before = inode(folder)
    assert ensure_converted(tmp_path / "data") == folder
    assert inode(folder) == before
    assert capfd.readouterr() == ("", "")


def test_sound_models_are_taken_as_they_are(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = inode(converted_models_folder(data))
    assert ensure_converted(data) == converted_models_folder(data)
    assert inode(converted_models_folder(data)) == before
    assert capfd.readouterr().err == ""


def test_a_damaged_file_is_made_again_with_a_warning(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = converted_models_folder(data) / "descriptor.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        folder = ensure_converted(data)
    assert damaged_files(folder) == []
    (record,) = of_the_converter(caplog)
    assert record.levelname == "WARNING"
    assert str(folder) in record.getMessage()
    assert "descriptor.bin" in record.getMessage()
    assert path.read_bytes() == (support.models() / "descriptor.bin").read_bytes()


def test_a_missing_file_is_made_again(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    (converted_models_folder(data) / "detector-int8.xml").unlink()
    assert damaged_files(ensure_converted(data)) == []
    assert [record.levelname for record in of_the_converter(caplog)] == ["WARNING"]


def test_of_models_converted_first_there_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ensure_converted(tmp_path)
    assert of_the_converter(caplog) == []


def test_what_an_interrupted_conversion_left_is_no_hindrance(tmp_path: Path) -> None:
    left = converted_models_folder(tmp_path).with_suffix(".new")
    left.mkdir(parents=True)
    (left / "descriptor.xml").write_bytes(b"half")
    assert damaged_files(ensure_converted(tmp_path)) == []
    assert not left.exists()


def test_of_two_processes_at_once_one_converts(tmp_path: Path) -> None:
    """As of a command beside the gateway's first start. They wrote into one folder, and both failed."""
    folder = converted_models_folder(tmp_path)
    command = [sys.executable, "-m", "gateway.vision.engines.conversion", str(folder)]
    two = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in two]
    assert [process.returncode for process in two] == [0, 0], told
    assert sum("1 of 3" in text for text in told) == 1
    assert damaged_files(folder) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_data_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StartError, match=f"could not be converted into {tmp_path}"):
        ensure_converted(tmp_path)


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    """As any reason for which nothing can be written there; root may write in a folder that is only to be read."""
    (tmp_path / "models").touch()
    with pytest.raises(StartError, match=f"could not be converted into {converted_models_folder(tmp_path)}"):
        ensure_converted(tmp_path)


def test_python_that_is_not_there_is_told(tmp_path: Path, broken_python: Path) -> None:
    with pytest.raises(StartError, match=f"could not be converted: .*{broken_python}"):
        ensure_converted(tmp_path / "data")


def test_a_conversion_that_fails_is_told(tmp_path: Path, broken_python: Path) -> None:
    script(broken_python, "exit 3")
    with pytest.raises(StartError, match="could not be converted into"):
        ensure_converted(tmp_path / "data")


def test_a_conversion_that_is_killed_is_told(tmp_path: Path, broken_python: Path) -> None:
    """As by a system short of memory."""
    script(broken_python, "kill -9 $$")
    with pytest.raises(StartError, match="could not be converted into"):
        ensure_converted(tmp_path / "data")


def test_a_conversion_that_makes_nothing_is_told(tmp_path: Path, broken_python: Path) -> None:
    script(broken_python, "exit 0")
    with pytest.raises(StartError, match="could not be converted into"):
        ensure_converted(tmp_path / "data")


def test_a_conversion_that_does_not_end_is_ended(
    tmp_path: Path, broken_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.workers.conversion.CONVERT_S", 0.2)
    script(broken_python, "exec sleep 60")
    with pytest.raises(StartError, match="timed out"):
        ensure_converted(tmp_path / "data")


def test_models_still_there_after_a_failure_stay(data: Path, broken_python: Path) -> None:
    """A damaged one is not thrown away before another is made."""
    path = converted_models_folder(data) / "detector-f32.bin"
    path.write_bytes(b"damaged")
    script(broken_python, "exit 3")
    with pytest.raises(StartError):
        ensure_converted(data)
    assert damaged_files(converted_models_folder(data)) == ["detector-f32.bin"]
