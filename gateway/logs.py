"""The forms of the log, the request that a line belongs to, and limits on how often one message is written.

A faulty camera can cause 300 messages a second, and memory cards wear out.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any, Literal

LogFormat = Literal["text", "json"]

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

MAX_RECORDS = 20
"""Records of one kind that are logged in each period of PERIOD_S."""
PERIOD_S = 60.0

MAX_KINDS = 2_000
"""Kinds of records that are limited each on its own. Further ones share the limit of their place in the code."""

EXTERNALLY_TRIGGERED = (
    "asyncio",
    "gateway.live",
    "gateway.mqtt",
    "gateway.people.unknown_faces",
    "gateway.people.unknown_groups",
    "gateway.rest",
    "gateway.service",
    "gateway.store.relational.effects",
    "gateway.store.relational.sightings",
    "gateway.workers",
    "uvicorn",
)
"""Loggers whose messages a client can cause as often as it likes."""

_REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that a thread works on, or an empty text."""

HTTP_CLIENT_LOGGERS = ("httpx", "httpcore")
"""Loggers that write a line for each request to a camera or to Frigate, with its address."""


@contextmanager
def logged_request(request_id: str) -> Iterator[None]:
    """Let each line that this thread logs meanwhile carry the id of a request."""
    token = _REQUEST.set(request_id)
    try:
        yield
    finally:
        _REQUEST.reset(token)


def escape(text: str) -> str:
    """Return the text as one line of printable characters, with others as ``\\n``, ``\\x1b`` or ``\\u2028``.

    Surrogates are escaped too. File names that are not text contain them, and no stream can encode them.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape_character(each) for each in text)


def escape_name(name: str) -> str:
    """Return a file name in printable characters. Backslashes are doubled, so that no two names look the same."""
    return escape(name.replace("\\", "\\\\"))


def _escape_character(character: str) -> str:
    return character.encode("unicode_escape").decode()


class OneLineFormatter(logging.Formatter):
    """A formatter that writes each record on one line, with the lines of a traceback indented below it.

    So no text from a client, and no file name, can look like another record.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        request = _REQUEST.get()
        return escape(super().formatMessage(record) + (f" [{request}]" if request else ""))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return _indent(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return _indent(super().formatStack(stack_info))


class JsonFormatter(logging.Formatter):
    """A formatter that writes each record as a JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        fields = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request := _REQUEST.get():
            fields["request"] = request
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        # Only ASCII: no text from a client can break the line, and every stream can encode the rest.
        return json.dumps(fields)


def _indent(text: str) -> str:
    return "\n".join(f"  {escape(line)}" for line in text.splitlines())


def configure(level: str, form: LogFormat = "text") -> None:
    """Log to standard error, as text or as JSON.

    Every record is written at DEBUG. At higher levels repeated ones are left out.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(OneLineFormatter(FORMAT) if form == "text" else JsonFormatter())
    if level != "DEBUG":
        handler.addFilter(RateLimitFilter())
    # Handlers that others added before, as pytest does, stay as they are.
    logging.basicConfig(level=level, handlers=[handler])
    # An address may contain a login, and a pulled camera is asked several times a second.
    for name in HTTP_CLIENT_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)


class RateLimitFilter(logging.Filter):
    """A filter that passes at most MAX_RECORDS records from one line of the code in PERIOD_S seconds.

    Records may carry an extra field ``kind``: each kind is then limited on its own. It must have few values, because
    each value is remembered. The first record of the next period says how many were left out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._periods: dict[tuple[str, int, str], tuple[float, int]] = {}
        """For each place in the code and kind, the beginning of its period and the number of records since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(EXTERNALLY_TRIGGERED):
            return True
        place, now, left_out = (record.pathname, record.lineno, getattr(record, "kind", "")), self._clock(), 0
        with self._lock:
            if place not in self._periods and len(self._periods) >= MAX_KINDS:
                place = (record.pathname, record.lineno, "")
            began, count = self._periods.get(place, (now, 0))
            if now > began + PERIOD_S:
                began, count, left_out = now, 0, max(0, count - MAX_RECORDS)
            self._periods[place] = began, count + 1
        if left_out:
            record.msg = f"{record.msg} (and {left_out} more like this one before it)"
        elif count + 1 == MAX_RECORDS:
            record.msg = f"{record.msg} (more messages like this one within a minute will be left out)"
        return count < MAX_RECORDS
