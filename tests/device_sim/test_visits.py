from __future__ import annotations

import time

import pytest

from device_sim.model import SightingEvent
from device_sim.visits import MAX_VISITS, Visits, sentence


def event(event_type: str, who: str = "Ada", sighting: str = "s-1", duration: float | None = None) -> SightingEvent:
    return SightingEvent("porch", event_type, sighting, who, duration, 2000)


def test_visit_begins_with_the_first_picture_and_ends_with_its_event() -> None:
    visits, before = Visits(), time.time()
    visits.add(event("recognised"))
    (visit,) = visits.newest(5)
    assert (visit.camera, visit.who, visit.stayed) == ("porch", "Ada", None)
    assert before <= visit.came + 2 <= time.time()
    visits.add(event("ended", duration=4.2))
    assert [each.stayed for each in visits.newest(5)] == [4.2]


def test_changed_visit_keeps_its_place() -> None:
    visits = Visits()
    for each in (event("stranger", "stranger"), event("recognised", "Joe", "s-2"), event("changed", "Ada")):
        visits.add(each)
    assert [visit.who for visit in visits.newest(5)] == ["Ada", "Joe"]


@pytest.mark.parametrize("event_type", ["appeared", "ended", "not_them", "confirmed", "unheard_of"])
def test_other_events_begin_no_visit(event_type: str) -> None:
    visits = Visits()
    visits.add(event(event_type))
    assert visits.newest(5) == []


def test_number_of_visits_is_bounded() -> None:
    visits = Visits()
    for number in range(MAX_VISITS + 10):
        visits.add(event("recognised", sighting=str(number)))
    assert len(visits.newest(10 * MAX_VISITS)) == MAX_VISITS


@pytest.mark.parametrize(
    ("news", "text"),
    [
        (event("recognised"), "Ada came"),
        (event("stranger", "stranger"), "stranger came"),
        (event("changed", "Joe"), "it is Joe"),
        (event("ended", duration=61.04), "Ada left after 61.0 s"),
        (event("ended", duration=0.04), "Ada left after one picture"),
        (event("appeared"), None),
    ],
)
def test_sentence_says_who_came_and_left(news: SightingEvent, text: str | None) -> None:
    assert sentence(news) == text
