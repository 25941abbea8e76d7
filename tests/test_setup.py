"""The advice of ``make setup`` if the machine's Python is not suitable. The script runs on a PATH of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import link_tools, write_program, write_python
from tests.support import ROOT

TOOLS = ("sh", "dirname", "grep", "sed", "cat", "cksum", "tr")

Setup = Callable[..., str]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder on the PATH, with the tools that the script needs."""
    return link_tools(tmp_path / "programs", TOOLS)


@pytest.fixture
def setup(tmp_path: Path, programs: Path) -> Setup:
    """Run the script, which fails before it creates anything, and return its message."""
    (tmp_path / "project" / "scripts").mkdir(parents=True)
    script = Path(shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "project" / "scripts"))

    def run(*arguments: str, **environment: str) -> str:
        env = {"PATH": str(programs), "HOME": str(tmp_path / "home"), **environment}
        done = subprocess.run([str(script), *arguments], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert not (tmp_path / "project" / ".venv").exists()
        return done.stderr

    return run


def apt(programs: Path, **candidates: str) -> None:
    """Make an apt-cache that knows these packages. In their names ``_`` stands for ``.``, and ``__`` for ``-``."""
    cases = "".join(
        f"{name.replace('__', '-').replace('_', '.')}) echo '  Candidate: {version}' ;;\n"
        for name, version in candidates.items()
    )
    write_program(programs / "apt-cache", f'case "$2" in\n{cases}*) echo "  Candidate: (none)" ;;\nesac')


def test_python_that_is_too_new_is_named_and_not_advised(programs: Path, setup: Setup) -> None:
    """Regression: the script advised `sudo apt-get install python3`, which installs that same Python."""
    write_python(programs / "python3", 14)
    apt(programs, python3="3.14.2-1", python3__venv="3.14.2-1")
    message = setup()
    assert "Python 3.10 to 3.13 is needed, and python3 is 3.14." in message
    assert "~/.uv/bin/pip install uv && ~/.uv/bin/uv python install 3.13" in message
    assert "apt-get" not in message


def test_package_that_apt_has_is_advised(programs: Path, setup: Setup) -> None:
    write_python(programs / "python3", 14)
    apt(programs, python3="3.14.2-1", python3_12__venv="3.12.3-1", python3_11__venv="3.11.9-1")
    assert "  sudo apt-get install python3.12 python3.12-venv\n" in setup()


@pytest.mark.parametrize(
    ("candidate", "advice"),
    [("3.11.2-1+b1", "sudo apt-get install python3 python3-venv"), ("3.14.2-1", "https://www.python.org")],
)
def test_python_of_apt_is_advised_if_it_is_suitable(programs: Path, setup: Setup, candidate: str, advice: str) -> None:
    apt(programs, python3=candidate)
    message = setup()
    assert "there is no python3 that works." in message
    assert advice in message


def test_uv_is_advised_if_it_is_installed(programs: Path, setup: Setup) -> None:
    write_python(programs / "python3", 14)
    write_program(programs / "uv", "exit 0")
    assert "  uv python install 3.13\n" in setup()


def test_chosen_python_that_is_not_suitable_is_named(programs: Path, tmp_path: Path, setup: Setup) -> None:
    write_python(tmp_path / "mine", 9)
    assert f"{tmp_path / 'mine'} is 3.9." in setup(PYTHON=str(tmp_path / "mine"))


@pytest.mark.parametrize(
    "place", ["programs/python3.12", "home/.local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu/bin/python3"]
)
def test_older_python_is_used_instead_of_a_newer_one(programs: Path, tmp_path: Path, setup: Setup, place: str) -> None:
    """The older Python has no venv module here, so that nothing is installed."""
    write_python(programs / "python3", 14)
    write_python(tmp_path / place, 12, venv=False)
    assert "Python's venv module is missing. Install it with\n  sudo apt-get install python3.12-venv\n" in setup()


HIDDEN = "/root/.local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu"


@pytest.mark.parametrize("prefix", [HIDDEN, "/home/me/.pyenv/versions/3.12.4", "/run/user/1000/python"])
def test_python_that_the_unit_hides_is_not_used_for_a_service(programs: Path, setup: Setup, prefix: str) -> None:
    write_python(programs / "python3", 13, prefix=prefix)
    message = setup("service", "/nowhere")
    assert "python3 is in a folder that systemd hides from services." in message
    assert "&& sudo UV_PYTHON_INSTALL_DIR=/opt/python ~/.uv/bin/uv python install 3.13\n" in message
    assert "`sudo make install-service PYTHON=/path/to/python` chooses one" in message


def test_python_that_the_unit_shows_is_used_for_a_service(programs: Path, setup: Setup) -> None:
    """Nothing is installed, because it has no venv module here."""
    write_python(programs / "python3", 13, prefix=HIDDEN)
    write_python(programs / "python3.11", 11, venv=False, prefix="/usr")
    assert "sudo apt-get install python3.11-venv" in setup("service", "/nowhere")


def test_advice_for_a_service_names_uv_by_its_path(programs: Path, setup: Setup) -> None:
    """sudo does not know the user's PATH."""
    write_python(programs / "python3", 13, prefix=HIDDEN)
    write_program(programs / "uv", "exit 0")
    advice = f"  sudo UV_PYTHON_INSTALL_DIR=/opt/python {programs}/uv python install 3.13\n"
    assert advice in setup("service", "/nowhere")
