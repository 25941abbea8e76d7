"""``scripts/setup_devices.sh`` without Python 3.11 or without packages, in a folder and on a PATH of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import link_tools, write_program, write_python
from tests.support import ROOT

ENVIRONMENT = Path(".venvs/devices")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the script, and a folder ``programs`` that is the whole PATH."""
    (tmp_path / "scripts").mkdir()
    for script in ("setup_devices.sh", "find_python.sh"):
        shutil.copy(ROOT / "scripts" / script, tmp_path / "scripts")
    (tmp_path / "scripts" / "fetch_umqtt.py").write_text("")
    link_tools(tmp_path / "programs", ("sh", "dirname", "mkdir", "touch", "ln"))
    return tmp_path


def install_uv(project: Path, install_code: int) -> None:
    """Make a uv whose `uv venv` makes a folder with a Python, and whose `uv pip` exits with that code."""
    make = f'mkdir -p "{ENVIRONMENT}/bin" && exec ln -sf "{sys.executable}" "{ENVIRONMENT}/bin/python"'
    write_program(project / ".venv" / "bin" / "uv", f'[ "$1" = venv ] && {make}\nexit {install_code}')


def run(project: Path) -> str:
    environment = {"PATH": str(project / "programs"), "HOME": str(project / "home")}
    script = [str(project / "scripts" / "setup_devices.sh")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_missing_python_is_reported(project: Path) -> None:
    assert "SKIPPED: Python 3.11, on which ESPHome" in run(project)
    assert not (project / ENVIRONMENT).exists()


def test_missing_packages_are_reported_and_tried_again(project: Path) -> None:
    write_python(project / "programs" / "python3.11", 11)
    install_uv(project, install_code=1)
    assert "SKIPPED: the packages of ESPHome and MicroPython cannot be installed" in run(project)
    install_uv(project, install_code=0)
    assert "done" in run(project)
    assert run(project) == ""


def test_package_of_umqtt_that_cannot_be_fetched_is_reported(project: Path) -> None:
    write_python(project / "programs" / "python3.11", 11)
    install_uv(project, install_code=0)
    (project / "scripts" / "fetch_umqtt.py").write_text("raise SystemExit('no network')")
    assert "SKIPPED: the packages of ESPHome and MicroPython cannot be installed" in run(project)
