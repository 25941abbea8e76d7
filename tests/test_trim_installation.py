"""The script that removes files that Facegate never loads. scripts/check_wheel.py recognises a picture after it."""

from __future__ import annotations

import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from scripts.trim_installation import UNNEEDED, trim
from tests.support import ROOT

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
ONLY_ON_OLD_PYTHON = ("numpy/distutils",)
"""numpy for Python 3.12 and later does not have it."""


def write_package(site_packages: Path, name: str, *files: str) -> Path:
    """Install a package with these files of 1,000 bytes. Return its list of files."""
    for file in files:
        (site_packages / file).parent.mkdir(parents=True, exist_ok=True)
        (site_packages / file).write_bytes(bytes(1000))
    record = site_packages / f"{name}.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text("".join(f"{file},sha256=x,1000\n" for file in files) + f"{name}.dist-info/RECORD,,\n")
    return record


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with Facegate."""
    write_package(tmp_path / "lib" / "python3.11" / "site-packages", "facegate-1.0", "gateway/__init__.py")
    return tmp_path


def run_script(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "trim_installation.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_removed_files_leave_the_list_of_the_package(environment: Path) -> None:
    site_packages = environment / "lib" / "python3.11" / "site-packages"
    record = write_package(
        site_packages,
        "openvino-1.0",
        "openvino/__init__.py",
        "openvino/libs/libopenvino.so.2641",
        "openvino/libs/libopenvino_intel_gpu_plugin.so",
        "openvino/tools/ovc/main.py",
        "../../../bin/ovc",
    )
    # The cache of uv has the same file.
    cached = environment / "cached"
    cached.hardlink_to(record)
    before = record.read_text()
    done = run_script(environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert record.read_text().splitlines() == [
        "openvino/__init__.py,sha256=x,1000",
        "openvino/libs/libopenvino.so.2641,sha256=x,1000",
        "openvino-1.0.dist-info/RECORD,,",
    ]
    assert cached.read_text() == before
    assert not (site_packages / "openvino" / "tools").exists()
    assert not (environment / "bin" / "ovc").exists()
    assert "0.0 MB  in total" in run_script(environment).stdout


def test_bytecode_of_a_removed_module_is_removed(environment: Path) -> None:
    site_packages = environment / "lib" / "python3.11" / "site-packages"
    lexers = ("python.py", "__init__.py", "__pycache__/python.cpython-311.pyc", "__pycache__/__init__.cpython-311.pyc")
    write_package(site_packages, "pygments-1.0", *(f"pygments/lexers/{name}" for name in lexers))
    assert sum(trim(site_packages).values()) == 2000
    left = {path.name for path in (site_packages / "pygments").rglob("*") if path.is_file()}
    assert left == {"__init__.py", "__init__.cpython-311.pyc"}


def test_environment_without_facegate_is_not_touched(tmp_path: Path) -> None:
    site_packages = tmp_path / "lib" / "python3.11" / "site-packages"
    write_package(site_packages, "openvino-1.0", "openvino/libs/cache.json")
    done = run_script(tmp_path)
    assert done.returncode == 1
    assert f"Facegate is not installed in {tmp_path}" in done.stderr
    assert (site_packages / "openvino" / "libs" / "cache.json").exists()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other processors have fewer of these files")
def test_every_pattern_finds_files_in_the_locked_packages() -> None:
    """A pattern that finds nothing is left over from an older version of a package."""
    patterns = {pattern for each in UNNEEDED.values() for pattern in each}
    stale = {pattern for pattern in patterns if not any(SITE_PACKAGES.glob(pattern))}
    assert stale <= (set(ONLY_ON_OLD_PYTHON) if sys.version_info >= (3, 12) else set())
