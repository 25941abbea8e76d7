from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.workers.environment import process_environment, python_command
from gateway.workers.worker import Worker

GIVEN = {"FACEGATE_MQTT__PASSWORD": "secret", "FACEGATE_PEOPLE__KEY": "secret", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of a gateway with secrets, and with variables that an engine needs."""
    for name, value in {**GIVEN, "ONEDNN_MAX_CPU_ISA": "avx2", "LANG": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environment")
def test_environment_has_no_setting_and_no_secret() -> None:
    passed = process_environment()
    assert not passed.keys() & GIVEN.keys()
    assert "secret" not in passed.values()
    assert (passed["ONEDNN_MAX_CPU_ISA"], passed["LANG"], passed["OMP_NUM_THREADS"]) == ("avx2", "C.UTF-8", "1")
    assert "PATH" in passed


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system does not show environments")
@pytest.mark.usefixtures("environment")
def test_worker_process_starts_without_secrets() -> None:
    worker = Worker([sys.executable, "-m", "tests.workers.quick_worker"])
    try:
        worker.wait_until_ready()
        assert b"secret" not in Path(f"/proc/{worker.pid}/environ").read_bytes()
    finally:
        worker.kill()


def test_process_does_not_import_from_the_working_folder(tmp_path: Path) -> None:
    """Regression: a gateway of the wheel started worker processes of the checkout in its working folder."""
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "__init__.py").write_text("raise SystemExit('imported from the working folder')")
    command = [*python_command("gateway"), "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=process_environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("facegate, version ")
