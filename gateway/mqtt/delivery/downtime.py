"""For how long nobody took what the broker has for us, so that nothing is answered that was asked too long ago."""

from __future__ import annotations

import contextlib
import math
import re
import time
from pathlib import Path

from gateway.files.small_file import read_or_set_aside, replace_text

WRITE_INTERVAL_S = 20.0
"""How often it is written down that we are here: a line that often does not wear out a memory card."""

MAX_BYTES = 256

_LINE = re.compile(r"(\S+) ([0-9]+(?:\.[0-9]+)?)\n?")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Downtime:
    """Told by the machine's own clock, which runs on while the gateway does not, and while the machine sleeps; after a
    restart of the machine nobody knows how long it was. The clock on the wall may jump by a day.
    """

    def __init__(self, path: Path) -> None:
        """Raises StartError."""
        self._path = path
        loss = "requests that waited at the broker, for how long is not known now, get the error expired"
        kept = read_or_set_aside(path, _parse, max_bytes=MAX_BYTES, loss=loss)
        self.warnings = kept.warnings
        self._here = -math.inf if kept.value is None else kept.value
        self._written = -math.inf

    def mark_alive(self) -> None:
        """Something came by the connection. That it stands proves nothing: after a sleep it only seems to."""
        self._here = _now()
        if self._here > self._written + WRITE_INTERVAL_S:
            self._written = self._here
            with contextlib.suppress(OSError):  # a full disk: then we seem to have been away for longer
                replace_text(self._path, f"{_boot()} {self._here:.3f}\n")

    def seconds(self) -> float:
        """At most so long ago the connection stood for the last time; inf where that is not known."""
        return _now() - self._here


def _parse(text: str) -> float:
    """Return the last time of this boot. Raises ValueError for anything that ``here`` does not write."""
    if not (found := _LINE.fullmatch(text)):
        raise ValueError("it does not hold a boot and a time")
    boot, moment = found[1], float(found[2])
    # The time may be rounded up.
    return moment if boot == _boot() and moment <= _now() + 0.001 else -math.inf


def _now() -> float:
    """Linux' own clock of that kind; ``time.monotonic`` stands still while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return "unknown"
