from __future__ import annotations

from typing import Any

import pytest

from device_sim.model import Answer, Contradiction, Duplicate, Event, Repeated, Sent, Skipped, Verdict
from device_sim.report import TOLD, Tally, line, percentile

CONTRADICTION = Contradiction("sim-1", "a-1", "camera is 'b', and 'sim-1' was sent")


def answer(**changes: Any) -> Answer:
    fields: dict[str, Any] = {
        "camera": "sim-1",
        "picture": "biden_1.jpg",
        "label": "Joe Biden",
        "people": ("Joe Biden",),
        "score": 0.83,
        "ms": 40.0,
        "code": None,
        "dropped": 0,
    }
    return Answer(**fields | changes)


def tally_of(*events: Event) -> Tally:
    tally = Tally()
    for event in events:
        tally.add(event)
    return tally


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (0, 1)])
def test_percentiles_are_by_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 101)], percent) == expected


def test_a_single_value_is_every_percentile() -> None:
    assert tally_of(answer(ms=7.04)).latency() == {"p50": 7.0, "p95": 7.0, "p99": 7.0}


def test_lost_is_what_was_neither_answered_nor_dropped() -> None:
    tally = tally_of(*[Sent("sim-1", "a.jpg")] * 5, answer(dropped=2), answer())
    assert (tally.sent, tally.answered, tally.dropped, tally.lost) == (5, 2, 2, 1)


def test_an_error_is_an_answer_but_no_latency() -> None:
    tally = tally_of(Sent("sim-1", "a.jpg"), answer(code="busy", label="busy", people=(), ms=1))
    assert (tally.answered, tally.lost, tally.errors, tally.latency()) == (1, 0, {"busy": 1}, {})


def test_an_answer_to_nothing_we_sent_is_none() -> None:
    tally = tally_of(answer(picture=None, ms=None))
    assert (tally.answered, tally.unmatched, tally.people) == (0, 1, {})


def test_the_json_summary_holds_every_count() -> None:
    again: list[Event] = [Repeated("sim-1", "a.jpg"), Duplicate("sim-1"), CONTRADICTION]
    tally = tally_of(Sent("sim-1", "a.jpg"), Skipped("sim-1"), Verdict("sim-1", "unknown"), answer(), *again)
    document = tally.as_dict()
    assert document.pop("seconds") >= 0
    assert document == {
        "schema": 1,
        "sent": 1,
        "answered": 1,
        "lost": 0,
        "dropped": 0,
        "skipped": 1,
        "repeated": 1,
        "duplicates": 1,
        "contradictions": 1,
        "contradicted": ["sim-1 a-1: camera is 'b', and 'sim-1' was sent"],
        "unmatched": 0,
        "verdicts": 1,
        "errors": {},
        "people": {"Joe Biden": 1},
        "latency_ms": {"p50": 40.0, "p95": 40.0, "p99": 40.0},
    }


def test_the_summary_names_trouble_only_where_there_is_some() -> None:
    assert "errors" not in tally_of(answer()).summary()
    assert "contradictions" not in tally_of(answer()).summary()
    assert "  sim-1 a-1: camera is 'b'" in tally_of(CONTRADICTION).summary()
    assert "errors: busy 2" in tally_of(*[answer(code="busy")] * 2).summary()


def test_repeats_and_duplicates_leave_lost_alone() -> None:
    """Two were sent, one is answered twice: the other one is lost."""
    sent = Sent("sim-1", "a.jpg")
    tally = tally_of(sent, sent, Repeated("sim-1", "a.jpg"), answer(), Duplicate("sim-1"))
    assert (tally.sent, tally.answered, tally.lost) == (2, 1, 1)


def test_all_contradictions_are_counted_and_the_first_are_told() -> None:
    tally = tally_of(*[CONTRADICTION] * (TOLD + 5))
    assert (tally.contradictions, len(tally.contradicted)) == (TOLD + 5, TOLD)


def test_a_line_has_camera_picture_people_score_and_time() -> None:
    assert line(answer()).split() == ["sim-1", "biden_1.jpg", "Joe", "Biden", "0.83", "40.0", "ms"]


def test_a_line_says_when_an_answer_fits_nothing() -> None:
    assert "late or not ours" in line(answer(picture=None, ms=None, score=None))
