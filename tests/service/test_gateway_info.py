"""The disk in the health of the gateway."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.contract.health import write_health
from gateway.model.health import Disk, Health, ImportProgress, MqttHealth
from gateway.service.gateway_info import DataDisk

TOTAL = 50_000_000_000


def document(disk: Disk) -> object:
    """Return the part of the health document about a disk."""
    mqtt = MqttHealth(alive=True, connected=True, loopback=True)
    progress = ImportProgress(finished=True)
    health = Health(mqtt, 1, 1, workers_maintained=True, store=True, known_faces=progress, disk=disk)
    return write_health(health).document()["disk"]


@pytest.mark.parametrize("limit", [12_300_000_000, 1_000_000_000])
def test_free_bytes_that_swing_around_a_limit_are_no_change(tmp_path: Path, limit: int) -> None:
    """Regression: each swing of a few kB was a new health document, on the broker and on the event stream."""
    disk = DataDisk(tmp_path)
    swinging = [limit + offset for offset in (0, -4_096, 4_096, -50_000_000, 50_000_000)]
    documents = [document(disk.follow(Disk(free, TOTAL))) for free in swinging]
    assert documents == documents[:1] * len(swinging)


def test_free_bytes_are_reported_again_after_a_step(tmp_path: Path) -> None:
    disk = DataDisk(tmp_path)
    free = [1_050_000_000, 950_000_001, 950_000_000, 1_049_999_999, 1_050_000_000]
    assert [disk.follow(Disk(each, TOTAL)).is_low for each in free] == [False, False, True, True, False]


def test_disk_of_another_size_is_reported(tmp_path: Path) -> None:
    disk = DataDisk(tmp_path)
    disk.follow(Disk(2_000_000_000, TOTAL))
    assert disk.follow(Disk(2_000_000_001, 2 * TOTAL)) == Disk(2_000_000_001, 2 * TOTAL)


def test_disk_of_the_folder_is_read(tmp_path: Path) -> None:
    found = DataDisk(tmp_path).read()
    assert found is not None
    assert found.total == shutil.disk_usage(tmp_path).total
    assert DataDisk(tmp_path / "absent").read() is None
