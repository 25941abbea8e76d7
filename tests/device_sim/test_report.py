from __future__ import annotations

from typing import Any

import pytest

from device_sim.model import (
    Answer,
    Contradiction,
    Discarded,
    Duplicate,
    Event,
    Repeated,
    Sent,
    SightingEvent,
    Skipped,
    Verdict,
)
from device_sim.report import MAX_LISTED_CONTRADICTIONS, Statistics, line, percentile

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


def count_events(*events: Event) -> Statistics:
    tally = Statistics()
    for event in events:
        tally.add(event)
    return tally


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (0, 1)])
def test_percentile_is_by_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 101)], percent) == expected


def test_percentiles_of_a_single_value() -> None:
    assert count_events(answer(ms=7.04)).latency() == {"p50": 7.0, "p95": 7.0, "p99": 7.0}


def test_lost_counts_pictures_neither_answered_nor_dropped() -> None:
    tally = count_events(*[Sent("sim-1", "a.jpg")] * 5, answer(dropped=2), answer())
    assert (tally.sent, tally.answered, tally.dropped, tally.lost) == (5, 2, 2, 1)


def test_frame_without_an_answer_is_overtaken_if_a_newer_one_is_answered() -> None:
    """Six frames: the second and the fourth are answered, and one is reported as dropped."""
    sent = Sent("sim-1", "a.jpg")
    tally = count_events(sent, sent, answer(newer=0), sent, sent, answer(newer=0, dropped=1), sent, sent)
    assert (tally.sent, tally.answered, tally.dropped, tally.overtaken, tally.lost) == (6, 2, 1, 1, 2)


def test_late_answer_to_an_older_frame_leaves_the_newer_ones_answered() -> None:
    sent = Sent("sim-1", "a.jpg")
    tally = count_events(sent, sent, answer(newer=0), answer(newer=0))
    assert (tally.answered, tally.overtaken, tally.lost) == (2, 0, 0)


def test_error_counts_as_an_answer_without_latency() -> None:
    tally = count_events(Sent("sim-1", "a.jpg"), answer(code="busy", label="busy", people=(), ms=1))
    assert (tally.answered, tally.lost, tally.errors, tally.latency()) == (1, 0, {"busy": 1}, {})


def test_answer_to_no_request_is_unmatched() -> None:
    tally = count_events(answer(picture=None, ms=None))
    assert (tally.answered, tally.unmatched, tally.people) == (0, 1, {})


def test_json_summary_has_every_count() -> None:
    again: list[Event] = [Repeated("sim-1", "a.jpg"), Duplicate("sim-1"), Discarded("sim-1"), CONTRADICTION]
    again += [
        SightingEvent("sim-1", "recognised", "s-1", "Joe Biden", None, 600),
        SightingEvent("sim-1", "ended", "s-1", "Joe Biden", 4.2, 9000),
    ]
    tally = count_events(Sent("sim-1", "a.jpg"), Skipped("sim-1"), Verdict("sim-1", "unknown"), answer(), *again)
    document = tally.as_dict()
    assert document.pop("seconds") >= 0
    assert document == {
        "schema": 1,
        "sent": 1,
        "answered": 1,
        "lost": 0,
        "dropped": 0,
        "overtaken": 0,
        "skipped": 1,
        "discarded": 1,
        "repeated": 1,
        "duplicates": 1,
        "contradictions": 1,
        "contradicted": ["sim-1 a-1: camera is 'b', and 'sim-1' was sent"],
        "unmatched": 0,
        "verdicts": 1,
        "errors": {},
        "people": {"Joe Biden": 1},
        "latency_ms": {"p50": 40.0, "p95": 40.0, "p99": 40.0},
        "events": {"recognised": 1, "ended": 1},
        "event_latency_ms": {"p50": 600.0, "p95": 600.0, "p99": 600.0},
    }


def test_summary_names_problems_only_if_there_are_some() -> None:
    assert "errors" not in count_events(answer()).summary()
    assert "contradictions" not in count_events(answer()).summary()
    assert "  sim-1 a-1: camera is 'b'" in count_events(CONTRADICTION).summary()
    assert "errors: busy 2" in count_events(*[answer(code="busy")] * 2).summary()


def test_summary_hints_at_the_login_only_if_no_reply_arrived() -> None:
    sent = Sent("sim-1", "a.jpg")
    assert "--user '{camera}'" in count_events(sent).summary()
    assert "--user" not in count_events(sent, sent, answer()).summary()
    assert "--user" not in count_events(Skipped("sim-1")).summary()


def test_repetitions_and_duplicates_do_not_change_lost() -> None:
    """There are two requests. The first one is answered twice, so the second one is lost."""
    sent = Sent("sim-1", "a.jpg")
    tally = count_events(sent, sent, Repeated("sim-1", "a.jpg"), answer(), Duplicate("sim-1"))
    assert (tally.sent, tally.answered, tally.lost) == (2, 1, 1)


def test_summary_counts_all_contradictions_and_lists_the_first() -> None:
    tally = count_events(*[CONTRADICTION] * (MAX_LISTED_CONTRADICTIONS + 5))
    assert (tally.contradictions, len(tally.contradicted)) == (MAX_LISTED_CONTRADICTIONS + 5, MAX_LISTED_CONTRADICTIONS)


def test_line_has_camera_picture_people_score_and_time() -> None:
    assert line(answer()).split() == ["sim-1", "biden_1.jpg", "Joe", "Biden", "0.83", "40.0", "ms"]


def test_line_marks_an_unmatched_answer() -> None:
    assert "late or unknown" in line(answer(picture=None, ms=None, score=None))
