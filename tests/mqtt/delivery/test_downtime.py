"""The downtime over restarts of the gateway and of the machine, and over its sleep."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from gateway.mqtt.delivery import downtime as module
from gateway.mqtt.delivery.downtime import Downtime
from tests.support import WAIT_S, set_clock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alive"


def test_downtime_is_known_after_a_restart_of_the_gateway(path: Path) -> None:
    Downtime(path).mark_alive()
    boot, moment = path.read_text().split()
    path.write_text(f"{boot} {float(moment) - 1000:.0f}\n")
    assert 1000 - 1 < Downtime(path).seconds() < 1000 + WAIT_S


def test_mark_alive_ends_the_downtime(path: Path) -> None:
    downtime = Downtime(path)
    assert downtime.seconds() == math.inf
    downtime.mark_alive()
    assert downtime.seconds() < WAIT_S


@pytest.mark.parametrize(
    "content",
    ["", "x", "{boot}", "{boot} x", "{boot} nan", "{boot} 1 2", "another-boot {now}", "{boot} {future}", "\0" * 50],
)
def test_downtime_is_unknown_if_the_file_cannot_be_trusted(path: Path, content: str) -> None:
    """Regression: after a restart of the machine, whose clock starts at 0, a request of yesterday seemed new."""
    now = module._now()
    path.write_text(content.format(boot=module._boot(), now=now, future=now + 100))
    assert Downtime(path).seconds() == math.inf


def test_downtime_includes_the_sleep_of_the_machine(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: the monotonic clock of Linux stands still meanwhile, and a request of hours ago seemed new."""
    downtime = Downtime(path)
    downtime.mark_alive()
    awake = time.clock_gettime

    def since_boot(clock: int) -> float:
        return awake(clock) + (3600 if clock == time.CLOCK_BOOTTIME else 0)

    set_clock(monkeypatch, module, clock_gettime=since_boot)
    assert 3600 <= downtime.seconds() < 3600 + WAIT_S


def test_downtime_is_unknown_if_the_file_is_binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\xff")
    assert Downtime(path).seconds() == math.inf


def test_downtime_is_unknown_without_a_file(path: Path) -> None:
    assert Downtime(path).seconds() == math.inf


def test_mark_alive_writes_the_file_now_and_then(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write at each call would wear out a memory card within a year."""
    downtime = Downtime(path)
    downtime.mark_alive()
    path.unlink()
    downtime.mark_alive()
    assert not path.exists()
    monkeypatch.setattr(module, "WRITE_INTERVAL_S", 0.0)
    time.sleep(0.01)
    downtime.mark_alive()
    assert path.exists()


def test_mark_alive_does_not_fail_on_a_full_disk(path: Path) -> None:
    path.mkdir()
    downtime = Downtime(path)
    downtime.mark_alive()
    assert downtime.seconds() < WAIT_S


def test_downtime_is_known_on_a_machine_without_boot_ids(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BOOT", path / "not there")
    Downtime(path).mark_alive()
    assert Downtime(path).seconds() < WAIT_S


def test_downtime_is_short_after_an_immediate_restart(path: Path) -> None:
    """Regression: after a kill and a start within half a second, all waiting requests got the error `expired`."""
    while not 0.5 < module._now() % 1 < 0.8:
        time.sleep(0.01)
    Downtime(path).mark_alive()
    assert Downtime(path).seconds() < WAIT_S
