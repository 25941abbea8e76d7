from __future__ import annotations

import logging
import os

import pytest

from gateway.logs import FORMAT, MAX_RECORDS, OneLineFormatter, RateLimitFilter
from gateway.workers import messages
from gateway.workers.messages import MAX_MESSAGE_CHARACTERS, forward_messages
from tests.support import WAIT_S


def forward(caplog: pytest.LogCaptureFixture, *texts: bytes) -> list[logging.LogRecord]:
    """Let a process write the texts, one after the other, and return the records of the log."""
    reading, writing = os.pipe()
    thread = forward_messages(os.fdopen(reading, "rb", buffering=0), 4711)
    for text in texts:
        os.write(writing, text)
    os.close(writing)
    thread.join(WAIT_S)
    assert not thread.is_alive()
    return [record for record in caplog.records if record.name == messages.__name__]


def test_message_is_logged_with_the_number_of_its_process(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = forward(caplog, b"Traceback:\nValueError: odd\n")
    shown = OneLineFormatter(FORMAT).format(record)
    assert record.levelname == "WARNING"
    assert shown.endswith("worker process 4711 wrote:\n  Traceback:\n  ValueError: odd")


def test_message_cannot_look_like_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Every line is indented, and a terminal gets no control characters."""
    forged = b"2026-01-01 00:00:00,000 INFO    gateway.app: all is well\n\x1b[2J\xff\r\xe2\x80\xa8end"
    (record,) = forward(caplog, forged)
    first, *lines = OneLineFormatter(FORMAT).format(record).split("\n")
    assert first.endswith("wrote:")
    assert all(line.startswith("  ") and line.isprintable() for line in lines)


def test_only_the_end_of_a_long_message_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    (record,) = forward(caplog, b"x" * 50_000 + b"the cause")
    assert record.stack_info is not None
    assert len(record.stack_info) == MAX_MESSAGE_CHARACTERS
    assert record.stack_info.endswith("xthe cause")


def test_messages_are_limited_in_number(caplog: pytest.LogCaptureFixture) -> None:
    record = forward(caplog, b"again")[0]
    limit = RateLimitFilter(lambda: 0.0)
    assert [limit.filter(record) for _ in range(MAX_RECORDS + 1)].count(True) == MAX_RECORDS
