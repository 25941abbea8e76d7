from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.cores import usable_cores


class ControlGroups:
    """A tree of control groups, as the kernel shows it in files. ``write`` adds a file of a group."""

    def __init__(self, folder: Path, membership: str) -> None:
        self.root = folder / "cgroup"
        self.membership = folder / "membership"
        self.membership.write_text(membership)

    def write(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def cores(self) -> int:
        return usable_cores(self.membership, self.root)


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process run on 16 cores, which the machine of the tests does not have."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(16)))


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("1000 100000\n", 1),
        ("max 100000\n", 16),
        ("3200000 100000", 16),
    ],
)
def test_limit_of_a_container_counts(tmp_path: Path, limit: str, cores: int) -> None:
    groups = ControlGroups(tmp_path, "0::/\n")
    groups.write("cpu.max", limit)
    assert groups.cores() == cores


def test_smallest_limit_of_all_groups_above_counts(tmp_path: Path) -> None:
    groups = ControlGroups(tmp_path, "0::/system.slice/facegate.service\n")
    groups.write("system.slice/facegate.service/cpu.max", "400000 100000\n")
    groups.write("system.slice/cpu.max", "300000 100000\n")
    groups.write("other.slice/cpu.max", "100000 100000\n")
    assert groups.cores() == 3


def test_limit_of_version_1_counts(tmp_path: Path) -> None:
    groups = ControlGroups(tmp_path, "5:memory:/docker/4f1c\n3:cpu,cpuacct:/docker/4f1c\n0::/docker/4f1c\n")
    groups.write("cpu,cpuacct/docker/4f1c/cpu.cfs_quota_us", "250000\n")
    groups.write("cpu,cpuacct/docker/4f1c/cpu.cfs_period_us", "100000\n")
    groups.write("cpu,cpuacct/cpu.cfs_quota_us", "-1\n")
    groups.write("cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert groups.cores() == 3


def test_container_that_sees_the_path_of_the_host_finds_its_own_limit(tmp_path: Path) -> None:
    """Version 1 mounts the group of the container itself, and names it as the host does."""
    groups = ControlGroups(tmp_path, "3:cpu:/docker/4f1c\n")
    groups.write("cpu/cpu.cfs_quota_us", "400000\n")
    groups.write("cpu/cpu.cfs_period_us", "100000\n")
    assert groups.cores() == 4


@pytest.mark.parametrize("text", ["", "200000", "two three\n", "200000 0\n", "-5 100000\n"])
def test_unreadable_limit_is_no_limit(tmp_path: Path, text: str) -> None:
    groups = ControlGroups(tmp_path, "0::/\n")
    groups.write("cpu.max", text)
    assert groups.cores() == 16


def test_system_without_control_groups_has_the_cores_of_the_process(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "missing", tmp_path) == 16


def test_real_control_groups_allow_at_least_one_core() -> None:
    assert 1 <= usable_cores() <= 16
