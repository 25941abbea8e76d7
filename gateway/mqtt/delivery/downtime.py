"""The time since the gateway last took messages from the broker: requests that waited longer are not answered."""

from __future__ import annotations

import contextlib
import math
import re
import time
from pathlib import Path

from gateway.files.small_file import read_or_set_aside, replace_text

# The writes are rare, so that they do not wear out a memory card.
WRITE_INTERVAL_S = 20.0
"""The shortest time between two writes of the file."""

MAX_BYTES = 256

_LINE = re.compile(r"(\S+) ([0-9]+(?:\.[0-9]+)?)\n?")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Downtime:
    """A file with the moment at which the gateway was last known to take messages.

    After a restart of the machine the downtime is unknown. Raises StartError if a damaged file cannot be set aside.
    """

    # The moment is measured by the clock since boot, which runs on while the gateway does not run and while the machine
    # sleeps. The wall clock may jump by a day.

    def __init__(self, path: Path) -> None:
        self._path = path
        loss = "requests that waited at the broker get the error expired, since the downtime is unknown"
        kept = read_or_set_aside(path, _parse, max_bytes=MAX_BYTES, loss=loss)
        self.warnings = kept.warnings
        self._alive_at = -math.inf if kept.value is None else kept.value
        self._written_at = -math.inf

    def mark_alive(self) -> None:
        """Record that a message has come in just now."""
        # An open connection is no proof: after a sleep of the machine it still looks open for a moment.
        self._alive_at = _now()
        if self._alive_at > self._written_at + WRITE_INTERVAL_S:
            self._written_at = self._alive_at
            # A full disk only makes the downtime look longer.
            with contextlib.suppress(OSError):
                replace_text(self._path, f"{_boot()} {self._alive_at:.3f}\n")

    def seconds(self) -> float:
        """Return the time since ``mark_alive`` in seconds, or inf if it is unknown. It may be too long by 20 s."""
        return _now() - self._alive_at


def _parse(text: str) -> float:
    """Return the stored moment, or -inf for a moment before the last boot. Raises ValueError for any other text."""
    if not (found := _LINE.fullmatch(text)):
        raise ValueError("expected the id of a boot and a time in seconds")
    boot, moment = found[1], float(found[2])
    # The written time may be rounded up, by less than a millisecond.
    return moment if boot == _boot() and moment <= _now() + 0.001 else -math.inf


def _now() -> float:
    # On Linux ``time.monotonic`` stands still while the machine sleeps.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return "unknown"
