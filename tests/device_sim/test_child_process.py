from __future__ import annotations

import sys
from pathlib import Path

import pytest

from device_sim import child_process
from device_sim.child_process import ChildProcess
from device_sim.errors import ChildEnded
from tests.support import wait_for

FOR_EVER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOR_EVER}"


def python_child(code: str, log: Path) -> ChildProcess:
    return ChildProcess("It", [sys.executable, "-c", code], log=log)


def test_child_runs_until_the_context_ends(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with python_child(FOR_EVER, log) as child:
        wait_for(lambda: "up" in log.read_text())
        child.check()
    with pytest.raises(ChildEnded):
        child.check()


def test_check_reports_an_early_end_with_the_last_line(tmp_path: Path) -> None:
    code = "import sys; print('fine', flush=True); sys.exit('the port is taken\\n')"
    with (
        pytest.raises(ChildEnded, match=r"It ended unexpectedly\. the port is taken"),
        python_child(code, tmp_path / "log") as child,
    ):
        wait_for(child.check)


def test_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "TERMINATE_TIMEOUT_S", 0.2)
    log = tmp_path / "log"
    with python_child(STUBBORN, log) as child:
        wait_for(lambda: "up" in log.read_text())
    with pytest.raises(ChildEnded):
        child.check()
