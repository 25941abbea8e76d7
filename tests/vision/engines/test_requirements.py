"""The sentence that a gateway prints if this machine cannot run its engine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.checks import check_settings
from gateway.config import Settings
from gateway.errors import ConfigError, StartError
from gateway.model import EngineName
from gateway.vision.engines import requirements
from gateway.vision.engines.requirements import check_requirements
from gateway.workers.wiring import prepare_engine
from tests.support import ROOT

CELERON_J4125 = {"sse2", "ssse3", "sse4_1", "sse4_2", "movbe", "popcnt", "aes"}


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An x86-64 processor without AVX."""
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(requirements, "processor_flags", lambda: CELERON_J4125)
    return monkeypatch


@pytest.mark.parametrize("engine", ["facegate", "dlib-hog", "dlib-cnn"])
def test_installed_engine_is_accepted(engine: EngineName) -> None:
    check_requirements(Settings(engine=engine))


def test_processor_without_avx_is_refused(processor: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings.model_validate({"data": tmp_path})
    for check in (check_settings, prepare_engine):
        with pytest.raises(StartError, match=r"^This processor has no AVX instructions, .* compile dlib") as caught:
            check(settings)
        assert caught.value.exit_code == os.EX_CONFIG


@pytest.mark.parametrize(
    ("machine", "flags"),
    [
        pytest.param("x86_64", CELERON_J4125 | {"avx"}, id="Sandy Bridge has AVX without AVX2"),
        pytest.param("x86_64", set(), id="the flags are unknown"),
        pytest.param("aarch64", CELERON_J4125, id="arm64 has other flags"),
    ],
)
def test_other_processor_is_accepted(processor: pytest.MonkeyPatch, machine: str, flags: set[str]) -> None:
    processor.setattr(platform, "machine", lambda: machine)
    processor.setattr(requirements, "processor_flags", lambda: flags)
    check_requirements(Settings())


def test_dlib_that_was_compiled_here_is_accepted_without_avx(processor: pytest.MonkeyPatch) -> None:
    processor.setattr(requirements, "DLIB_WHEEL", "package-that-is-not-installed")
    check_requirements(Settings())


@pytest.mark.parametrize("key", ["detector", "descriptor"])
def test_8_bits_are_refused_on_arm64(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    settings = Settings.model_validate({"precision": {key: "int8"}})
    check_requirements(settings)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(StartError, match=rf"^precision\.{key}: int8 gives wrong results on arm64"):
        check_requirements(settings)
    check_requirements(Settings())


def test_recogniser_without_its_description_is_refused(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, recogniser=tmp_path / "own.onnx")
    with pytest.raises(ConfigError, match=r"own\.onnx needs its description in .*own\.yaml, which is missing"):
        check_settings(settings)


@pytest.mark.parametrize("engine", ["dlib-hog", "dlib-cnn"])
def test_stock_engine_without_its_package_is_refused(engine: str, tmp_path: Path) -> None:
    """The process finds the packages of this environment, except face_recognition."""
    code = (
        "import importlib.machinery as m, sys; find = m.PathFinder.find_spec; "
        "m.PathFinder.find_spec = lambda name, *a: None if name == 'face_recognition' else find(name, *a); "
        "from gateway.cli.main import main; main(['check-config'])"
    )
    env = {**os.environ, "FACEGATE_ENGINE": engine, "FACEGATE_DATA": str(tmp_path / "data")}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == os.EX_CONFIG
    assert done.stderr == (
        f"facegate: engine: {engine} needs the package face_recognition, which is not installed: "
        "run `pip install --no-deps face_recognition==1.3.0`, or set engine to facegate.\n"
    )
