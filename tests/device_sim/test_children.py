from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from device_sim import children
from device_sim.children import Child
from device_sim.errors import ChildEnded
from tests.support import wait_for

FOR_EVER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOR_EVER}"


def python(code: str, log: Path) -> Child:
    return Child("It", [sys.executable, "-c", code], log=log)


def test_a_child_runs_until_we_leave(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with python(FOR_EVER, log) as child:
        wait_for(lambda: "up" in log.read_text())
        child.check()
    with pytest.raises(ChildEnded):
        child.check()


def test_an_early_end_is_told_with_the_last_words(tmp_path: Path) -> None:
    code = "import sys; print('fine', flush=True); sys.exit('the port is taken\\n')"
    with (
        pytest.raises(ChildEnded, match=r"It ended by itself\. the port is taken"),
        python(code, tmp_path / "log") as child,
    ):
        wait_for(child.check)


def test_who_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "GRACE", 0.2)
    log = tmp_path / "log"
    start = time.monotonic()
    with python(STUBBORN, log) as child:
        wait_for(lambda: "up" in log.read_text())
    with pytest.raises(ChildEnded):
        child.check()
    assert time.monotonic() - start < 10
