"""A log that a camera out of order cannot fill."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from gateway.logs import MOST, WITHIN_S, Sparing


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.addFilter(Sparing())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.close()


def told(kept: Kept, line: int, text: str, *args: object, at: float = 0.0) -> None:
    record = logging.LogRecord("test", logging.INFO, __file__, line, text, args, None)
    record.created = at
    kept.handle(record)


def test_one_place_tells_so_much_and_says_that_there_was_more(kept: Kept) -> None:
    for n in range(300):
        told(kept, 1, "%s to %s", "bad_image", n, at=n / 300)
    assert kept.lines[: MOST - 1] == [f"bad_image to {n}" for n in range(MOST - 1)]
    assert kept.lines[MOST - 1 :] == [f"bad_image to {MOST - 1} (more like this one are left out for a while)"]
    told(kept, 1, "%s to %s", "bad_image", "last", at=WITHIN_S + 1)
    assert kept.lines[MOST:] == [f"bad_image to last (and {300 - MOST} more like this one before it)"]


def test_other_places_are_heard_all_the_same(kept: Kept) -> None:
    for n in range(300):
        told(kept, 1, "bad", at=n / 300)
    told(kept, 2, "the broker is gone")
    assert kept.lines[-1] == "the broker is gone"


def test_what_is_told_now_and_then_is_never_left_out(kept: Kept) -> None:
    for n in range(300):
        told(kept, 1, "connected", at=n * WITHIN_S / 10)
    assert kept.lines == ["connected"] * 300
