from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gateway.workers.environment import process_environment
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
