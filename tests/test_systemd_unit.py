"""The unit in config/, checked by systemd itself and against the gateway's exit codes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.errors import ConfigError, GatewayError, StartError, Unavailable
from tests.support import ROOT

UNIT = (ROOT / "config" / "facegate.service").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    # The program is not installed in its final place here.
    unit = tmp_path / "facegate.service"
    unit.write_text(UNIT.replace("ExecStart=/opt/facegate/.venv/bin/facegate", "ExecStart=/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_unit_is_not_restarted_after_errors_that_need_a_person() -> None:
    assert f"RestartPreventExitStatus={StartError.exit_code}\n" in UNIT
    assert ConfigError.exit_code == StartError.exit_code == os.EX_CONFIG
    assert {Unavailable.exit_code, GatewayError.exit_code} == {os.EX_TEMPFAIL, os.EX_SOFTWARE}


@pytest.mark.parametrize("setting", ["LimitNOFILE", "LimitCORE", "MemoryMax", "TasksMax", "SystemCallFilter"])
def test_unit_limits_the_service(setting: str) -> None:
    assert f"\n{setting}=" in UNIT
