from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from gateway.mqtt.delivery import downtime as module
from gateway.mqtt.delivery.downtime import Absence


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alive"


def test_the_next_run_knows_for_how_long_nobody_was_here(path: Path) -> None:
    Absence(path).here()
    boot, moment = path.read_text().split()
    path.write_text(f"{boot} {float(moment) - 1000:.0f}\n")
    assert Absence(path).seconds() == pytest.approx(1000, abs=2)


def test_while_the_connection_stands_nobody_is_missed(path: Path) -> None:
    absence = Absence(path)
    assert absence.seconds() == math.inf
    absence.here()
    assert absence.seconds() < 20


@pytest.mark.parametrize(
    "content",
    ["", "x", "{boot}", "{boot} x", "{boot} nan", "{boot} 1 2", "another-boot {now}", "{boot} {future}", "\0" * 50],
)
def test_what_cannot_be_trusted_is_an_absence_without_end(path: Path, content: str) -> None:
    """After a restart of the machine its clock begins anew: a request of yesterday looked as if it were of now."""
    now = module._now()
    path.write_text(content.format(boot=module._boot(), now=now, future=now + 100))
    assert Absence(path).seconds() == math.inf


def test_a_machine_that_slept_was_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux' monotonic clock stands still meanwhile: what was asked hours ago looked as if it were of now."""
    absence = Absence(path)
    absence.here()
    awake = time.clock_gettime

    def since_boot(clock: int) -> float:
        return awake(clock) + (3600 if clock == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime", since_boot)
    assert absence.seconds() == pytest.approx(3600, abs=2)


def test_a_file_that_is_no_text_is_an_absence_without_end(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\xff")
    assert Absence(path).seconds() == math.inf


def test_without_a_file_nobody_was_ever_here(path: Path) -> None:
    assert Absence(path).seconds() == math.inf


def test_it_is_written_down_now_and_then(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each tick, a memory card would be worn out in a year."""
    absence = Absence(path)
    absence.here()
    path.unlink()
    absence.here()
    assert not path.exists()
    monkeypatch.setattr(module, "EVERY_S", 0.0)
    time.sleep(0.01)
    absence.here()
    assert path.exists()


def test_a_full_disk_stops_nobody(path: Path) -> None:
    path.mkdir()
    absence = Absence(path)
    absence.here()
    assert absence.seconds() < 20


def test_a_machine_that_does_not_name_its_boots(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BOOT", path / "not there")
    Absence(path).here()
    time.sleep(0.5)  # see the test below
    assert Absence(path).seconds() < 2


def test_who_is_back_at_once_was_not_away(path: Path) -> None:
    """Killed and started within half a second, everything that waited was answered `expired`."""
    while not 0.5 < module._now() % 1 < 0.8:
        time.sleep(0.01)
    Absence(path).here()
    assert Absence(path).seconds() < 2
