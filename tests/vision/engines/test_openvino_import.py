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
"""A module in place of openvino_telemetry, which pip installs with OpenVINO. It reports that it was imported."""


def run(code: str, home: Path) -> str:
    """Run the code in a new process with warnings as errors, and return its output. ``home``: home and import path."""
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


def test_fake_telemetry_reports_its_import(home: Path) -> None:
    run("import openvino_telemetry", home)
    assert (home / "telemetry was imported").exists()


def test_openvino_import_does_not_load_telemetry(home: Path) -> None:
    code = (
        "import sys, gateway.vision.engines.openvino_import as ov; ov.openvino.Core(); "
        "print(sys.modules['openvino_telemetry'])"
    )
    assert run(code, home) == "None"
    assert [path.name for path in home.iterdir()] == ["openvino_telemetry"]


def test_conversion_and_inference_write_nothing_into_the_home_folder(home: Path, models: Path) -> None:
    code = (
        "import numpy, pathlib; from gateway.vision.engines.networks import open_detector;"
        f"print(open_detector(pathlib.Path({str(models)!r}), 'auto').detect(numpy.zeros((9, 9, 3), numpy.uint8), 80))"
    )
    assert run(code, home) == "[]"
    assert [path.name for path in home.iterdir()] == ["openvino_telemetry"]


def test_gateway_process_does_not_load_openvino(home: Path) -> None:
    """The gateway's process checks the converted models at every start, but only worker processes load OpenVINO."""
    code = "import sys, gateway.app, gateway.workers.conversion; print({'openvino', 'dlib', 'cv2'} & {*sys.modules})"
    assert run(code, home) == "set()"


@pytest.mark.parametrize("folder", ["gateway", "benchmarks", "device_sim", "tests"])
def test_every_module_imports_openvino_from_openvino_import(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        if path != PACKAGE / "vision" / "engines" / "openvino_import.py":
            assert not re.search(r"^\s*(import|from)\s+openvino\b", path.read_text(), re.MULTILINE), path
