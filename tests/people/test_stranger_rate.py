from __future__ import annotations

import pytest

from gateway.model.sightings import Outcome, Sighting
from gateway.people.decision import Decision
from gateway.people.stranger_rate import DAY_S, StrangerRate, stranger_rate
from gateway.store.records import SightingRecord
from tests.people.environment import CURVES, DECISION, RECIPE, PeopleEnvironment

NOW = 1_790_000_000.0


def test_rate_names_the_days_until_a_stranger_is_named() -> None:
    assert str(StrangerRate(0.01, 12)) == (
        "About one stranger in 100 sightings is named; at your 12 strangers a day that is one in 8.33 days."
    )
    assert str(StrangerRate(0.01, None)) == "About one stranger in 100 sightings is named."


def test_nobody_is_named_if_nobody_is_enrolled() -> None:
    assert str(StrangerRate(DECISION.named_strangers(0), 12)) == "Nobody is enrolled, so no stranger is named."


def test_rate_of_a_fixed_score_grows_with_the_people() -> None:
    fixed = Decision(0.01, 0.001, CURVES, fixed_identification=0.5)
    assert [fixed.named_strangers(people) for people in (1, 10, 10_000)] == pytest.approx([0.001, 0.01, 1])


def test_strangers_a_day_are_counted_since_the_first_one(env: PeopleEnvironment) -> None:
    sightings = env.store.sightings(RECIPE)
    assert stranger_rate(DECISION, 1, sightings, NOW).a_day is None
    for number, days in enumerate([0.1, 1, 3, 3.5, 4, 8]):
        began = NOW - days * DAY_S
        outcome: Outcome = "stranger" if days != 3 else "ambiguous"
        sighting = Sighting(id=str(number), visit="v", camera="porch", since=began, last_seen=began, outcome=outcome)
        sightings.save([SightingRecord(sighting, None, b"")])
    # Those of the last seven days: four in four days.
    assert stranger_rate(DECISION, 1, sightings, NOW).a_day == 1


def test_short_time_counts_as_a_day(env: PeopleEnvironment) -> None:
    sightings = env.store.sightings(RECIPE)
    for number in range(3):
        began = NOW - 60
        sighting = Sighting(id=str(number), visit="v", camera="porch", since=began, last_seen=began, outcome="stranger")
        sightings.save([SightingRecord(sighting, None, b"")])
    assert stranger_rate(DECISION, 1, sightings, NOW).a_day == 3
