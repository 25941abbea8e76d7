"""``scripts/setup_homeassistant.sh`` without Python 3.13 or without packages, in a folder and on a PATH of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import link_tools, write_program, write_python
from tests.support import ROOT

ENVIRONMENT = Path(".venvs/homeassistant")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the script, and a folder ``programs`` that is the whole PATH."""
    (tmp_path / "scripts").mkdir()
    for script in ("setup_homeassistant.sh", "find_python.sh"):
        shutil.copy(ROOT / "scripts" / script, tmp_path / "scripts")
    link_tools(tmp_path / "programs", ("sh", "dirname", "mkdir", "touch"))
    return tmp_path


def install_uv(project: Path, install_code: int) -> None:
    """Make a uv whose `uv venv` makes an empty folder, and whose `uv pip` exits with that code."""
    lines = f'[ "$1" = venv ] && exec mkdir -p "{ENVIRONMENT}"\nexit {install_code}'
    write_program(project / ".venv" / "bin" / "uv", lines)


def run(project: Path, **env: str) -> str:
    env = {"PATH": str(project / "programs"), "HOME": str(project / "home"), **env}
    script = [str(project / "scripts" / "setup_homeassistant.sh")]
    done = subprocess.run(script, env=env, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_missing_python_is_reported(project: Path) -> None:
    assert "SKIPPED: Python 3.13, on which Home Assistant" in run(project)
    assert not (project / ENVIRONMENT).exists()


def test_missing_packages_are_reported_and_tried_again(project: Path) -> None:
    write_python(project / "programs" / "python3.13", 13)
    install_uv(project, install_code=1)
    assert "SKIPPED: the packages of Home Assistant cannot be installed" in run(project)
    install_uv(project, install_code=0)
    assert "done" in run(project)


def test_complete_environment_is_not_made_again(project: Path) -> None:
    write_python(project / "programs" / "python3.13", 13)
    install_uv(project, install_code=0)
    assert "done" in run(project)
    assert run(project) == ""


def test_another_environment_is_used(project: Path) -> None:
    assert "/opt/ha" in run(project, HOMEASSISTANT_VENV="/opt/ha")
    assert not (project / ENVIRONMENT).exists()
