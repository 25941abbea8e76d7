"""For how long nobody took what the broker has for us, so that nothing is answered that was asked too long ago."""

from __future__ import annotations

import contextlib
import math
import time
from pathlib import Path

EVERY_S = 20.0
"""How often it is written down that we are here: a line that often does not wear out a memory card."""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Absence:
    """Told by the machine's own clock, which runs on while the gateway does not, and while the machine sleeps; after a
    restart of the machine nobody knows how long it was. The clock on the wall may jump by a day.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._here = self._last_time()
        self._written = -math.inf

    def here(self) -> None:
        """Something came by the connection. That it stands proves nothing: after a sleep it only seems to."""
        self._here = _now()
        if self._here > self._written + EVERY_S:
            self._written = self._here
            with contextlib.suppress(OSError):  # a full disk: then we seem to have been away for longer
                self._path.write_text(f"{_boot()} {self._here:.3f}\n")

    def seconds(self) -> float:
        """At most so long ago the connection stood for the last time; inf where that is not known."""
        return _now() - self._here

    def _last_time(self) -> float:
        with contextlib.suppress(OSError, ValueError):
            boot, moment = self._path.read_text().split()
            if boot == _boot() and float(moment) <= _now() + 0.001:  # as it was rounded
                return float(moment)
        return -math.inf


def _now() -> float:
    """Linux' own clock of that kind; ``time.monotonic`` stands still while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return "unknown"
