"""The disk of a file, on the file systems of this machine and in tables of other machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.files import disks
from gateway.files.disks import is_on_another_disk

MOUNTINFO = """\
27 1 254:0 / / rw,relatime - {kind} {source} rw
40 27 0:50 / {folder} rw,relatime shared:1 - {other_kind} {other_source} rw
"""


def test_files_of_one_folder_are_on_one_disk(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    assert not is_on_another_disk(tmp_path / "a", tmp_path / "b")


def test_file_system_in_memory_is_no_disk() -> None:
    memory, disk = Path("/dev/shm"), Path(__file__)  # noqa: S108
    if memory.stat().st_dev == disk.stat().st_dev:
        pytest.skip("this machine has no file system in memory")
    assert not is_on_another_disk(memory, disk)


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two files of different file systems. The second one is in a folder with a space in its name."""
    folder = tmp_path / "my disk"
    folder.mkdir()
    (folder / "people.sqlite").touch()
    return folder / "people.sqlite", Path("/proc/self/mountinfo")


@pytest.mark.parametrize(
    ("kind", "source", "other_kind", "other_source", "is_another"),
    [
        ("ext4", "/dev/gone1", "ext4", "/dev/gone2", True),
        ("ext4", "/dev/gone1", "nfs4", "nas:/export", True),
        ("ext4", "/dev/gone1", "cifs", "//nas/share", True),
        ("ext4", "/dev/gone1", "tmpfs", "tmpfs", False),
        ("ext4", "/dev/gone1", "ramfs", "none", False),
        # Each subvolume of btrfs has a device number of its own.
        ("btrfs", "/dev/gone1", "btrfs", "/dev/gone1", False),
    ],
)
def test_kind_and_device_of_a_mount_tell_its_disk(
    two: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    source: str,
    other_kind: str,
    other_source: str,
    is_another: bool,
) -> None:
    file, elsewhere = two
    escaped = str(file.parent).replace(" ", "\\040")
    table = MOUNTINFO.format(kind=kind, source=source, folder=escaped, other_kind=other_kind, other_source=other_source)
    (tmp_path / "mountinfo").write_text(table)
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "mountinfo")
    assert is_on_another_disk(file, elsewhere) is is_another


def test_partitions_of_one_disk_are_one_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [path for path in Path("/dev").glob("*") if path.is_block_device()][:2]
    if len(devices) < 2:
        pytest.skip("two block devices are needed")
    disk = tmp_path / "sda"
    for n, device in enumerate(devices):
        (disk / f"sda{n}").mkdir(parents=True)
        (disk / f"sda{n}" / "partition").write_text(f"{n}\n")
        number = device.stat().st_rdev
        (tmp_path / f"{number >> 8}:{number & 255}").symlink_to(disk / f"sda{n}")
    (tmp_path / "people.sqlite").touch()
    table = MOUNTINFO.format(
        kind="ext4", source=devices[0], folder=tmp_path, other_kind="ext4", other_source=devices[1]
    )
    (tmp_path / "mountinfo").write_text(table)
    monkeypatch.setattr(disks, "MOUNTS", tmp_path / "mountinfo")
    assert is_on_another_disk(tmp_path / "people.sqlite", Path("/proc/self/mountinfo"))
    monkeypatch.setattr(disks, "BLOCK_DEVICES", tmp_path)
    assert not is_on_another_disk(tmp_path / "people.sqlite", Path("/proc/self/mountinfo"))
