"""The disk that a file is on, so that a copy on another disk can be told from a copy on the same one."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""The mounted file systems. https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html"""

BLOCK_DEVICES = Path("/sys/dev/block")
"""A link for each disk and partition. The folder of a partition is in the folder of its disk."""

_IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
"""Kinds of file systems that a restart empties."""

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class _Mount:
    folder: str
    kind: str
    source: str


def is_on_another_disk(path: Path, other: Path) -> bool:
    """Return whether a file is on a lasting disk that is not the disk of the other file. Raise OSError.

    Two partitions, or two subvolumes of btrfs, are one disk. A share of another machine is another disk.
    """
    if path.stat().st_dev == other.stat().st_dev:
        return False
    mount, disk = _find_disk(path)
    return mount.kind not in _IN_MEMORY and disk != _find_disk(other)[1]


def _find_disk(path: Path) -> tuple[_Mount, str]:
    """Return the mounted file system that a file is on, and the name of its disk."""
    mount = _find_mount(path.resolve(strict=True))
    try:
        found = Path(mount.source).stat()
    except OSError:
        # A share has no device, and a container may not see the device of its disk.
        return mount, mount.source
    if not stat.S_ISBLK(found.st_mode):
        return mount, mount.source
    device = (BLOCK_DEVICES / f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}").resolve()
    return mount, (device.parent if (device / "partition").exists() else device).name


def _find_mount(path: Path) -> _Mount:
    folders = {str(each) for each in (path, *path.parents)}
    found = _Mount("", "", "")
    for line in MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        before, _, after = line.partition(" - ")
        folder, (kind, source) = _unescape(before.split(" ")[4]), after.split(" ")[:2]
        # Of two file systems on one folder the later line hides the earlier one.
        if folder in folders and len(folder) >= len(found.folder):
            found = _Mount(folder, kind, _unescape(source))
    return found


def _unescape(text: str) -> str:
    """Return a field of the table, in which spaces and some other characters are octal numbers."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)
