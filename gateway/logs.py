"""What is written down, and how often: a camera out of order asks 300 times a second, and a memory card wears."""

from __future__ import annotations

import logging
import threading

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

MOST, WITHIN_S = 20, 60.0


def configure(level: str) -> None:
    """To the standard error, which a supervisor keeps; at the level DEBUG all of it."""
    logging.basicConfig(level=level, format=FORMAT)
    root = logging.getLogger()
    for handler in root.handlers if root.level > logging.DEBUG else ():
        handler.addFilter(Sparing())


class Sparing(logging.Filter):
    """Of what one line of the code tells, so many records within a while; the first one after it says how many it left
    out. Each is counted all the same, in the metrics.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._told: dict[tuple[str, int], tuple[float, int]] = {}
        """By the place in the code: when the while began, and how many there were since."""

    def filter(self, record: logging.LogRecord) -> bool:
        place = record.pathname, record.lineno
        with self._lock:
            began, count = self._told.get(place, (record.created, 0))
            left_out = 0
            if record.created > began + WITHIN_S:
                began, count, left_out = record.created, 0, max(0, count - MOST)
            self._told[place] = began, count + 1
        if left_out:
            record.msg = f"{record.msg} (and {left_out} more like this one before it)"
        elif count + 1 == MOST:
            record.msg = f"{record.msg} (more like this one are left out for a while)"
        return count < MOST
