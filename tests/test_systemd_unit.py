"""The unit in config/, by systemd's own eyes, and held to what the gateway does."""

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
def test_systemd_has_nothing_to_say_against_it(tmp_path: Path) -> None:
    """But for the program, which is not installed where it will be."""
    unit = tmp_path / "facegate.service"
    unit.write_text(UNIT.replace("ExecStart=/opt/facegate/.venv/bin/facegate", "ExecStart=/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_what_only_a_person_can_mend_is_not_tried_again() -> None:
    assert f"RestartPreventExitStatus={StartError.exit_code}\n" in UNIT
    assert ConfigError.exit_code == StartError.exit_code == os.EX_CONFIG
    assert {Unavailable.exit_code, GatewayError.exit_code} == {os.EX_TEMPFAIL, os.EX_SOFTWARE}
