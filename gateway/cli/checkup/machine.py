"""The checks of the machine: room on the disk, and the clock."""

from __future__ import annotations

import ctypes
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.checkup.finding import Finding
from gateway.files.closed_folders import exists
from gateway.model.health import Disk

TIMEX_BYTES = 512
"""More than the size of ``struct timex`` (adjtimex(2)) on every processor."""
CLOCK_NOT_SYNCHRONISED = 5
"""TIME_ERROR of adjtimex(2)."""


def check_machine(data: Path) -> Iterator[Finding]:
    """Check the disk of the data folder, and the clock."""
    existing = next(each for each in (data.absolute(), *data.absolute().parents) if exists(each))
    usage = shutil.disk_usage(existing)
    disk = Disk(usage.free, usage.total)
    gigabytes = f"{disk.free / 1e9:.1f} GB are free on the disk of {data}"
    if disk.is_low:
        command = f"du -xh --max-depth=2 {shlex.quote(str(existing))}"
        yield Finding("disk", "to_do", f"only {gigabytes}: delete what is not needed", command)
    else:
        yield Finding("disk", "ok", gigabytes)
    yield _check_clock()


def _check_clock() -> Finding:
    state = _clock_state()
    if state is None:
        return Finding("clock", "advice", "the system does not tell whether its clock is set by a time server")
    if state == CLOCK_NOT_SYNCHRONISED:
        text = "no time server sets the clock: times of sightings and of the audit may be wrong, and tokens expire late"
        return Finding("clock", "advice", text, "sudo timedatectl set-ntp true")
    return Finding("clock", "ok", "a time server sets the clock")


def _clock_state() -> int | None:
    """Return the result of adjtimex(2), or None if the system has no such call or refuses it."""
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))
    except (AttributeError, OSError):
        return None
    return state if state >= 0 else None
