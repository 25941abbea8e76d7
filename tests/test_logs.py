"""A log that no camera out of order can fill, and that keeps nothing else back."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from gateway.logs import FORMAT, MOST, WITHIN_S, OneLineFormatter, RateLimitFilter, escape

MORE = " (if there are more like this one within a minute, they are left out)"


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RateLimitFilter(lambda: self.now))
        self.now = 1000.0
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def tell(self, line: int, text: str, *args: object, name: str = "gateway.mqtt.interface", kind: str = "") -> None:
        record = logging.LogRecord(name, logging.INFO, __file__, line, text, args, None)
        record.kind = kind
        self.handle(record)


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.close()


def test_one_place_tells_so_much_and_says_that_there_was_more(kept: Kept) -> None:
    for n in range(300):
        kept.tell(1, "%s to %s", "bad_image", n)
    assert kept.lines == [*(f"bad_image to {n}" for n in range(MOST - 1)), f"bad_image to {MOST - 1}{MORE}"]
    kept.now += WITHIN_S + 1
    kept.tell(1, "%s to %s", "bad_image", "last")
    assert kept.lines[MOST:] == [f"bad_image to last (and {300 - MOST} more like this one before it)"]


def test_other_places_and_kinds_are_heard_all_the_same(kept: Kept) -> None:
    for _ in range(300):
        kept.tell(1, "bad", kind="bad_request")
    kept.tell(2, "the broker is gone")
    kept.tell(1, "internal", kind="internal")
    assert kept.lines[MOST:] == ["the broker is gone", "internal"]


def test_what_is_told_now_and_then_is_never_left_out(kept: Kept) -> None:
    for _ in range(300):
        kept.now += WITHIN_S / 10
        kept.tell(1, "connected")
    assert kept.lines == ["connected"] * 300


def test_what_no_stranger_can_ask_for_is_told_whole(kept: Kept) -> None:
    """All the files of a folder that cannot be used, say, which stand nowhere else."""
    for n in range(300):
        kept.tell(1, "%s is skipped", n, name="gateway.people.folder.importer")
    assert kept.lines == [f"{n} is skipped" for n in range(300)]


FORGERIES = [
    "1.jpg\n2026-01-01 00:00:00,000 ERROR   gateway: forged",
    "1.jpg\r\x1b[2Kforged",
    "1.jpg\u2028forged\u2029\x85",
    "1.jpg\udcff",
    "\u202efdp.exe",
]


@pytest.mark.parametrize("text", FORGERIES)
def test_no_text_in_a_record_begins_a_line(text: str) -> None:
    record = logging.LogRecord("gateway", logging.INFO, __file__, 1, "skipped %s", (text,), None)
    line = OneLineFormatter(FORMAT).format(record)
    assert line.isprintable()
    assert line.endswith(f"skipped {escape(text)}")


@pytest.mark.parametrize("text", FORGERIES)
def test_no_text_in_an_exception_looks_like_a_record(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        record = logging.LogRecord("gateway", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    first, *others = OneLineFormatter(FORMAT).format(record).split("\n")
    assert first.endswith("gateway: failed")
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def test_ordinary_text_is_logged_as_it_is() -> None:
    assert escape("José 山田 Ада O'Neil \\ 😀") == "José 山田 Ада O'Neil \\ 😀"
    assert escape("a\tb\nc") == "a\\tb\\nc"
