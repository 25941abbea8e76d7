from __future__ import annotations

from benchmarks.console import make_chips, summary
from gateway.vision.chips import MAX_CHIPS, decode_chips


def test_summary_has_the_medians_and_the_worst() -> None:
    pages = [
        {"people_ms": ms, "pictures_ms": 2 * ms, "elements": 157, "slowest": [["/session", ms]]}
        for ms in (300.0, 100.0, 200.0)
    ]
    found = summary(pages)
    assert (found["people_ms"], found["worst_people_ms"], found["worst_pictures_ms"]) == (200, 300, 600)
    assert found["elements"] == 157
    assert found["slowest_requests_ms"] == {"/session": 300.0}


def test_chips_are_those_of_an_enrolment() -> None:
    assert len(decode_chips(make_chips())) == MAX_CHIPS
