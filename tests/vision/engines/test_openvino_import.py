from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGE = ROOT / "gateway"

TELLTALE = "import pathlib\npathlib.Path.home().joinpath('telemetry was imported').touch()\nclass Telemetry: pass\n"
"""In the place of openvino_telemetry, which pip installs with OpenVINO."""


def run(code: str, home: Path) -> str:
    """What it prints in a fresh process with warnings as errors, to which ``home`` is both home and installed."""
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": f"{ROOT}{os.pathsep}{home}"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    package = tmp_path / "openvino_telemetry"
    package.mkdir()
    (package / "__init__.py").write_text(TELLTALE)
    return tmp_path


def test_the_telltale_works(home: Path) -> None:
    run("import openvino_telemetry", home)
    assert (home / "telemetry was imported").exists()


def test_openvino_comes_without_its_telemetry(home: Path) -> None:
    code = (
        "import sys, gateway.vision.engines.openvino_import as ov; ov.openvino.Core(); "
        "print(sys.modules['openvino_telemetry'])"
    )
    assert run(code, home) == "None"
    assert [path.name for path in home.iterdir()] == ["openvino_telemetry"]


def test_converting_and_running_leave_nothing_in_the_home(home: Path, models: Path) -> None:
    code = (
        "import numpy, pathlib; from gateway.vision.engines.networks import open_detector;"
        f"print(open_detector(pathlib.Path({str(models)!r}), 'auto').detect(numpy.zeros((9, 9, 3), numpy.uint8), 80))"
    )
    assert run(code, home) == "[]"
    assert [path.name for path in home.iterdir()] == ["openvino_telemetry"]


def test_the_gateway_itself_loads_none_of_the_engine(home: Path) -> None:
    """It checks the converted models at every start, and gives the looking to worker processes."""
    code = "import sys, gateway.app, gateway.workers.conversion; print({'openvino', 'dlib', 'cv2'} & {*sys.modules})"
    assert run(code, home) == "set()"


@pytest.mark.parametrize("folder", ["gateway", "benchmarks", "device_sim", "tests"])
def test_everybody_takes_openvino_from_there(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        if path != PACKAGE / "vision" / "engines" / "openvino_import.py":
            assert not re.search(r"^\s*(import|from)\s+openvino\b", path.read_text(), re.MULTILINE), path
