"""The number of cores that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MEMBERSHIP = Path("/proc/self/cgroup")
"""The control groups that this process is in."""

CONTROL_GROUPS = Path("/sys/fs/cgroup")
"""The folder where systems mount the control groups."""


def usable_cores(membership: Path = MEMBERSHIP, control_groups: Path = CONTROL_GROUPS) -> int:
    """Return the number of cores that this process may run on, or that its CPU time is worth if that is less.

    A container with ``cpus: 2``, or a unit with ``CPUQuota=200%``, may run on every core, but only for two seconds of
    CPU time a second. A part of a core counts as a core, so that all of the CPU time can be used.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [math.ceil(limit) for folder in _folders(membership, control_groups) for limit in _read_limits(folder)]
    return max(1, min([affinity, *limits]))


def _folders(membership: Path, control_groups: Path) -> Iterator[Path]:
    """Yield the folders of the control groups that limit this process, and of all groups above them."""
    try:
        lines = membership.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        # Such as "0::/system.slice/facegate.service", or in version 1 "3:cpu,cpuacct:/docker/4f1c".
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # A container often sees the path that its group has on the host. Its own group is then the uppermost one here.
        group = PurePosixPath(path.lstrip("/"))
        yield from (control_groups / controllers / each for each in (group, *group.parents))


def _read_limits(folder: Path) -> Iterator[float]:
    """Yield the limit of a control group in cores, if there is one: in the files of version 2, or of version 1."""
    for quota, period in (_read(folder / "cpu.max"), _read(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us")):
        # Without a limit, the quota is "max" or -1.
        if quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)


def _read(*files: Path) -> tuple[str, str]:
    """Return the two words of one or two files, or empty words if these cannot be read."""
    try:
        quota, period = " ".join(file.read_text(encoding="ascii", errors="replace") for file in files).split()
    except (OSError, ValueError):
        return "", ""
    return quota, period
