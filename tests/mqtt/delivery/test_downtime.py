from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from gateway.mqtt.delivery import downtime as module
from gateway.mqtt.delivery.downtime import Downtime


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alive"


def test_the_next_run_knows_for_how_long_nobody_was_here(path: Path) -> None:
    Downtime(path).mark_alive()
    boot, moment = path.read_text().split()
    path.write_text(f"{boot} {float(moment) - 1000:.0f}\n")
    assert Downtime(path).seconds() == pytest.approx(1000, abs=2)


def test_while_the_connection_stands_nobody_is_missed(path: Path) -> None:
    downtime = Downtime(path)
    assert downtime.seconds() == math.inf
    downtime.mark_alive()
    assert downtime.seconds() < 20


@pytest.mark.parametrize(
    "content",
    ["", "x", "{boot}", "{boot} x", "{boot} nan", "{boot} 1 2", "another-boot {now}", "{boot} {future}", "\0" * 50],
)
def test_what_cannot_be_trusted_is_an_absence_without_end(path: Path, content: str) -> None:
    """After a restart of the machine its clock begins anew: a request of yesterday looked as if it were of now."""
    now = module._now()
    path.write_text(content.format(boot=module._boot(), now=now, future=now + 100))
    assert Downtime(path).seconds() == math.inf


def test_a_machine_that_slept_was_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux' monotonic clock stands still meanwhile: what was asked hours ago looked as if it were of now."""
    downtime = Downtime(path)
    downtime.mark_alive()
    awake = time.clock_gettime

    def since_boot(clock: int) -> float:
        return awake(clock) + (3600 if clock == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime", since_boot)
    assert downtime.seconds() == pytest.approx(3600, abs=2)


def test_a_file_that_is_no_text_is_an_absence_without_end(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\xff")
    assert Downtime(path).seconds() == math.inf


def test_without_a_file_nobody_was_ever_here(path: Path) -> None:
    assert Downtime(path).seconds() == math.inf


def test_it_is_written_down_now_and_then(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each tick, a memory card would be worn out in a year."""
    downtime = Downtime(path)
    downtime.mark_alive()
    path.unlink()
    downtime.mark_alive()
    assert not path.exists()
    monkeypatch.setattr(module, "WRITE_INTERVAL_S", 0.0)
    time.sleep(0.01)
    downtime.mark_alive()
    assert path.exists()


def test_a_full_disk_stops_nobody(path: Path) -> None:
    path.mkdir()
    downtime = Downtime(path)
    downtime.mark_alive()
    assert downtime.seconds() < 20


def test_a_machine_that_does_not_name_its_boots(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BOOT", path / "not there")
    Downtime(path).mark_alive()
    time.sleep(0.5)  # see the test below
    assert Downtime(path).seconds() < 2


def test_who_is_back_at_once_was_not_away(path: Path) -> None:
    """Killed and started within half a second, everything that waited was answered `expired`."""
    while not 0.5 < module._now() % 1 < 0.8:
        time.sleep(0.01)
    Downtime(path).mark_alive()
    assert Downtime(path).seconds() < 2
