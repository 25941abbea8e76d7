"""``make quick-all`` with Pythons that are missing or broken, in a folder and on a PATH of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import link_tools, write_program, write_python
from tests.support import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the script, and a folder ``programs`` that is the whole PATH."""
    (tmp_path / "scripts").mkdir()
    for script in ("quick_all.sh", "find_python.sh"):
        shutil.copy(ROOT / "scripts" / script, tmp_path / "scripts")
    link_tools(tmp_path / "programs", ("sh", "dirname", "mkdir", "cp"))
    return tmp_path


def install_uv(project: Path, pytest_code: int) -> None:
    """Make a uv that creates environments whose pytest exits with that code."""
    write_program(project / "python", f'[ "$1" = --version ] && echo Python 3 || exit {pytest_code}')
    make = f'mkdir -p "$UV_PROJECT_ENVIRONMENT/bin" && cp "{project}/python" "$UV_PROJECT_ENVIRONMENT/bin/python"'
    write_program(project / ".venv" / "bin" / "uv", make)


def run(project: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": str(project / "programs"), "HOME": str(project / "home")}
    script = [str(project / "scripts" / "quick_all.sh")]
    return subprocess.run(script, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_missing_python_is_skipped(project: Path) -> None:
    done = run(project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"quick-all: Python 3.{minor} is SKIPPED: it is not installed" for minor in (10, 13)
    ]


def test_python_without_packages_is_skipped(project: Path) -> None:
    write_python(project / "programs" / "python3.13", 13)
    write_program(project / ".venv" / "bin" / "uv", "exit 1")
    done = run(project)
    assert done.returncode == 0, done.stderr
    assert "Python 3.13 is SKIPPED: the packages of uv.lock cannot be installed" in done.stdout


@pytest.mark.parametrize("pytest_code", [0, 1])
def test_failure_on_one_python_does_not_stop_the_other(project: Path, pytest_code: int) -> None:
    write_python(project / "programs" / "python3.10", 10)
    write_python(project / "programs" / "python3.13", 13)
    install_uv(project, pytest_code)
    done = run(project)
    assert done.returncode == pytest_code
    assert done.stdout.count("quick-all: the quick tests on Python 3\n") == 2
    assert ("tests FAILED on Python 3.10 3.13" in done.stderr) == bool(pytest_code)
