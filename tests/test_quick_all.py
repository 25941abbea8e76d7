"""``make quick-all`` with Pythons that are missing or broken, in a folder and on a PATH of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the script, and a folder ``programs`` that is the whole PATH."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "quick_all.sh", tmp_path / "scripts")
    (tmp_path / "programs").mkdir()
    for tool in ("sh", "dirname", "mkdir", "cp"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "programs" / tool).symlink_to(found)
    return tmp_path


def write_program(path: Path, lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('sh')}\n{lines}\n")
    path.chmod(0o755)


def install_python(project: Path, minor: int) -> None:
    """Make a program that looks like Python 3.<minor>."""
    code = f"import sys; sys.version_info = (3, {minor}, 0); exec(sys.argv[1])"
    write_program(project / "programs" / f"python3.{minor}", f'exec {sys.executable} -c "{code}" "$2"')


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
    install_python(project, 13)
    write_program(project / ".venv" / "bin" / "uv", "exit 1")
    done = run(project)
    assert done.returncode == 0, done.stderr
    assert "Python 3.13 is SKIPPED: the packages of uv.lock cannot be installed" in done.stdout


@pytest.mark.parametrize("pytest_code", [0, 1])
def test_failure_on_one_python_does_not_stop_the_other(project: Path, pytest_code: int) -> None:
    install_python(project, 10)
    install_python(project, 13)
    install_uv(project, pytest_code)
    done = run(project)
    assert done.returncode == pytest_code
    assert done.stdout.count("quick-all: the quick tests on Python 3\n") == 2
    assert ("tests FAILED on Python 3.10 3.13" in done.stderr) == bool(pytest_code)
