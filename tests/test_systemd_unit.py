"""The unit in config/, checked by systemd itself and against the gateway's exit codes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.confinement.system_calls import PROCESSORS
from gateway.errors import ConfigError, GatewayError, StartError, Unavailable
from tests.support import ROOT

UNIT = (ROOT / "config" / "facegate.service").read_text()


@pytest.mark.slow
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


def calls_of(group: str) -> set[str]:
    """Return the system calls of a group with ``@``, or the call itself."""
    if not group.startswith("@"):
        return {group}
    shown = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    names = [line.strip() for line in shown.stdout.splitlines()[1:] if not line.strip().startswith("#")]
    return {call for name in names if name for call in calls_of(name)}


def calls_of_the_unit() -> set[str]:
    """Return the calls that the unit allows: each line adds some, or removes some if it begins with ``~``."""
    allowed = calls_of("@default")
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT, re.MULTILINE):
        calls = {call for group in line.removeprefix("~").split() for call in calls_of(group)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_unit_allows_the_calls_of_a_worker_process() -> None:
    """Those that it needs, those that confine it, and those that start it."""
    allowed = calls_of_the_unit()
    starting = {"execve", "vfork", "socketpair", "prctl", "setrlimit", "prlimit64"}
    confining = {"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}
    assert starting | confining | set(PROCESSORS["x86_64"].numbers) <= allowed
    assert not allowed & {"ptrace", "bpf", "mount", "keyctl", "reboot", "init_module", "perf_event_open"}


@pytest.mark.parametrize("setting", ["LimitNOFILE", "LimitCORE", "MemoryMax", "TasksMax", "SystemCallFilter"])
def test_unit_limits_the_service(setting: str) -> None:
    assert f"\n{setting}=" in UNIT
