"""What is written down, and how often: a camera out of order asks 300 times a second, and a memory card wears."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

MOST, WITHIN_S = 20, 60.0

EXTERNALLY_TRIGGERED = ("gateway.mqtt", "gateway.rest", "waitress")
"""Who logs what anybody outside can make them, as often as they like."""


def escape(text: str) -> str:
    """Return the text in one line of printable characters: others as ``\\n``, ``\\x1b`` or ``\\u2028``.

    Surrogates, which file names that are no text have, are escaped too: they cannot be written anywhere.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def escape_name(name: str) -> str:
    """Return a file's name in printable characters, a different one for each name: backslashes are doubled."""
    return escape(name.replace("\\", "\\\\"))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


class OneLineFormatter(logging.Formatter):
    """Writes each record in one line, and lines of a traceback after it indented: no text that a client sends, and no
    file's name, can look like a record of its own.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return escape(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _indented(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(f"  {escape(line)}" for line in text.splitlines())


def configure(level: str) -> None:
    """To the standard error, which a supervisor keeps; at the level DEBUG all of it."""
    logging.basicConfig(level=level)
    root = logging.getLogger()
    for handler in root.handlers:
        handler.setFormatter(OneLineFormatter(FORMAT))
    for handler in root.handlers if root.level > logging.DEBUG else ():
        handler.addFilter(RateLimitFilter())


class RateLimitFilter(logging.Filter):
    """Of what one line of the code tells, so many records within a while, of each ``kind`` if they name one as an extra
    (one of a few: each is remembered); the first one after it says how many were left out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[tuple[str, int, str], tuple[float, int]] = {}
        """When the while began, and how many there were since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(EXTERNALLY_TRIGGERED):
            return True
        place, now, left_out = (record.pathname, record.lineno, getattr(record, "kind", "")), self._clock(), 0
        with self._lock:
            began, count = self._told.get(place, (now, 0))
            if now > began + WITHIN_S:
                began, count, left_out = now, 0, max(0, count - MOST)
            self._told[place] = began, count + 1
        if left_out:
            record.msg = f"{record.msg} (and {left_out} more like this one before it)"
        elif count + 1 == MOST:
            record.msg = f"{record.msg} (if there are more like this one within a minute, they are left out)"
        return count < MOST
