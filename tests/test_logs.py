"""A log that no camera out of order can fill, and that keeps nothing else back."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from gateway.logs import (
    FORMAT,
    MAX_KINDS,
    MAX_RECORDS,
    PERIOD_S,
    JsonFormatter,
    OneLineFormatter,
    RateLimitFilter,
    escape,
    logged_request,
)

MORE = " (more messages like this one within a minute will be left out)"


class LimitedLog(logging.Handler):
    """The lines that pass the filter, with a clock that the test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RateLimitFilter(lambda: self.now))
        self.now = 1000.0
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def log(self, line: int, text: str, *args: object, name: str = "gateway.mqtt.interface", kind: str = "") -> None:
        record = logging.LogRecord(name, logging.INFO, __file__, line, text, args, None)
        record.kind = kind
        self.handle(record)


@pytest.fixture
def limited() -> Iterator[LimitedLog]:
    limited = LimitedLog()
    yield limited
    limited.close()


def test_place_in_the_code_is_limited_and_counts_the_records_left_out(limited: LimitedLog) -> None:
    for n in range(300):
        limited.log(1, "%s to %s", "bad_image", n)
    assert limited.lines == [
        *(f"bad_image to {n}" for n in range(MAX_RECORDS - 1)),
        f"bad_image to {MAX_RECORDS - 1}{MORE}",
    ]
    limited.now += PERIOD_S + 1
    limited.log(1, "%s to %s", "bad_image", "last")
    assert limited.lines[MAX_RECORDS:] == [f"bad_image to last (and {300 - MAX_RECORDS} more like this one before it)"]


def test_other_places_and_kinds_are_not_limited_with_it(limited: LimitedLog) -> None:
    for _ in range(300):
        limited.log(1, "bad", kind="bad_request")
    limited.log(2, "connection lost")
    limited.log(1, "internal", kind="internal")
    assert limited.lines[MAX_RECORDS:] == ["connection lost", "internal"]


def test_number_of_remembered_kinds_is_bounded(limited: LimitedLog) -> None:
    for n in range(2 * MAX_KINDS):
        limited.log(1, "bad", kind=str(n))
    assert len(limited.lines) == MAX_KINDS + MAX_RECORDS


def test_rare_records_are_never_left_out(limited: LimitedLog) -> None:
    for _ in range(300):
        limited.now += PERIOD_S / 10
        limited.log(1, "connected")
    assert limited.lines == ["connected"] * 300


def test_records_that_no_client_causes_are_not_limited(limited: LimitedLog) -> None:
    """An example is the list of unusable files of a folder, which is reported nowhere else."""
    for n in range(300):
        limited.log(1, "%s is skipped", n, name="gateway.people.folder.importer")
    assert limited.lines == [f"{n} is skipped" for n in range(300)]


FORGERIES = [
    "1.jpg\n2026-01-01 00:00:00,000 ERROR   gateway: forged",
    "1.jpg\r\x1b[2Kforged",
    "1.jpg\u2028forged\u2029\x85",
    "1.jpg\udcff",
    "\u202efdp.exe",
]


@pytest.mark.parametrize("text", FORGERIES)
def test_text_in_a_record_begins_no_line(text: str) -> None:
    record = logging.LogRecord("gateway", logging.INFO, __file__, 1, "skipped %s", (text,), None)
    line = OneLineFormatter(FORMAT).format(record)
    assert line.isprintable()
    assert line.endswith(f"skipped {escape(text)}")


@pytest.mark.parametrize("text", FORGERIES)
def test_text_in_an_exception_looks_like_no_record(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        record = logging.LogRecord("gateway", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    first, *others = OneLineFormatter(FORMAT).format(record).split("\n")
    assert first.endswith("gateway: failed")
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def test_ordinary_text_is_logged_unchanged() -> None:
    assert escape("José 山田 Ада O'Neil \\ 😀") == "José 山田 Ада O'Neil \\ 😀"
    assert escape("a\tb\nc") == "a\\tb\\nc"


@pytest.mark.parametrize("text", FORGERIES)
def test_record_in_json_is_one_line_of_ascii(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        record = logging.LogRecord("gateway", logging.ERROR, __file__, 1, "skipped %s", (text,), sys.exc_info())
    line = JsonFormatter().format(record)
    assert line.isprintable()
    assert line.isascii()
    fields = json.loads(line)
    assert (fields["level"], fields["logger"], fields["message"]) == ("ERROR", "gateway", f"skipped {text}")
    assert "ValueError" in fields["exception"]
    assert abs(datetime.fromisoformat(fields["time"].replace("Z", "+00:00")).timestamp() - record.created) < 0.01


@pytest.mark.parametrize("form", [JsonFormatter(), OneLineFormatter(FORMAT)], ids=["json", "text"])
def test_record_has_the_message_of_a_worker_process(form: logging.Formatter) -> None:
    """Regression: JSON logs left out what worker processes wrote, such as the tracebacks of their bugs."""
    record = logging.LogRecord("gateway.workers", logging.WARNING, __file__, 1, "worker process 7 wrote:", (), None)
    record.stack_info = "MemoryError"
    assert "MemoryError" in form.format(record)


@pytest.mark.parametrize("form", [JsonFormatter(), OneLineFormatter(FORMAT)], ids=["json", "text"])
def test_record_names_the_request_of_its_thread(form: logging.Formatter) -> None:
    record = logging.LogRecord("gateway", logging.INFO, __file__, 1, "done", (), None)
    with logged_request("r1"):
        with logged_request("r2"):
            assert "r2" in form.format(record)
        assert "r1" in form.format(record)
        with ThreadPoolExecutor(1) as other:
            assert "r1" not in other.submit(form.format, record).result()
    assert "r1" not in form.format(record)


REQUEST = """
import httpx
from gateway.logs import configure

configure("DEBUG")
client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200)))
client.get("http://camera/snapshot?password=secret")
"""


@pytest.mark.slow
def test_requests_to_cameras_are_not_logged() -> None:
    """Regression: the log got a line for each picture of a pulled camera, with the address and its password."""
    done = subprocess.run([sys.executable, "-c", REQUEST], capture_output=True, text=True, check=True)
    assert "camera" not in done.stderr


WITH_HANDLER = """
import logging
from gateway.logs import configure

other = logging.StreamHandler()
logging.getLogger().addHandler(other)
configure("INFO")
assert logging.getLogger().handlers == [other] and not other.filters
"""


@pytest.mark.slow
def test_handlers_of_others_are_not_limited() -> None:
    """Regression: after a command ran within the tests, pytest left out log lines of later tests."""
    subprocess.run([sys.executable, "-c", WITH_HANDLER], check=True)
