from __future__ import annotations

import math

import numpy as np
import pytest

from gateway.model import Judgement, Person
from gateway.people.decision import CURVE, Decision
from gateway.people.gallery import Candidate, Nearest
from tests.examples import ALICE, BOB

DECISION = Decision(max_false_identification=0.01, max_false_match=0.001)


def nearest(*similarities: float, templates: int = 10) -> Nearest:
    people = [ALICE, BOB]
    return Nearest(tuple(map(Candidate, people, similarities)), templates)


def similarity_at(score: float) -> float:
    """The lowest similarity on a fine grid that reaches this score."""
    return float(next(each for each in np.linspace(0.8, 1, 20_001) if DECISION.score(each) >= score))


@pytest.mark.parametrize(("similarity", "decades"), CURVE)
def test_the_score_at_the_curve_s_points_is_a_sixth_of_its_decades(similarity: float, decades: float) -> None:
    assert DECISION.score(similarity) == pytest.approx(decades / 6)


def test_the_score_never_falls_as_the_similarity_rises() -> None:
    scores = [DECISION.score(similarity) for similarity in np.linspace(-1, 1, 2001)]
    assert scores == sorted(scores)
    assert 0 <= scores[0] < 0.1
    assert scores[-1] == 1


def test_the_score_rises_all_the_way_from_the_curve_s_first_point_to_one() -> None:
    between = np.linspace(CURVE[0][0], similarity_at(1) - 1e-3, 200)
    assert (np.diff([DECISION.score(similarity) for similarity in between]) > 0).all()


def test_beyond_the_curve_the_line_is_drawn_on() -> None:
    (before, low), (last, high) = CURVE[-2:]
    step = 0.002
    assert 6 * DECISION.score(last + step) == pytest.approx(high + step * (high - low) / (last - before))


def test_the_score_does_not_hang_on_what_the_user_set() -> None:
    assert Decision(0.5, 0.5).score(0.93) == DECISION.score(0.93)


@pytest.mark.parametrize("templates", [1, 10, 1000])
def test_the_threshold_keeps_the_rate_however_many_are_compared(templates: int) -> None:
    """By Boole's inequality: so many comparisons, each at the false match rate of the threshold."""
    identification = 10 ** (-6 * DECISION.identification(templates))
    verification = 10 ** (-6 * DECISION.verification(templates))
    assert identification * templates == pytest.approx(0.01)
    assert verification * templates == pytest.approx(0.001)


def test_more_templates_ask_for_more_resemblance() -> None:
    thresholds = [DECISION.identification(templates) for templates in (1, 2, 10, 100, 10_000)]
    assert thresholds == sorted(set(thresholds))


def test_a_stricter_user_gets_a_higher_threshold() -> None:
    assert Decision(0.001, 0.001).identification(10) > DECISION.identification(10)
    assert Decision(0.01, 0.0001).verification(1) > DECISION.verification(1)


def test_without_templates_there_is_a_threshold_all_the_same() -> None:
    assert DECISION.identification(0) == DECISION.identification(1) == pytest.approx(-math.log10(0.01) / 6)


def test_a_threshold_is_a_score() -> None:
    assert Decision(1e-5, 1e-5).identification(10**6) == 1


def test_nobody_known_is_unknown() -> None:
    assert DECISION.identify(nearest()) == Judgement("unknown")


@pytest.mark.parametrize(
    ("similarities", "verdict", "person"),
    [
        ((0.99,), "match", ALICE),
        ((0.99, 0.5), "match", ALICE),
        ((0.5,), "unknown", None),
        ((0.5, 0.4), "unknown", None),
        ((0.99, 0.98), "ambiguous", None),
        ((0.99, 0.99), "ambiguous", None),
    ],
)
def test_one_who_passes_matches_and_two_are_ambiguous(
    similarities: tuple[float, ...], verdict: str, person: Person | None
) -> None:
    judgement = DECISION.identify(nearest(*similarities))
    assert (judgement.verdict, judgement.person) == (verdict, person)


@pytest.mark.parametrize("similarities", [(0.99, 0.5), (0.5, 0.4), (0.99, 0.98)])
def test_a_judgement_tells_what_it_rests_on(similarities: tuple[float, float]) -> None:
    judgement = DECISION.identify(nearest(*similarities))
    assert judgement.score == DECISION.score(similarities[0])
    assert judgement.similarity == similarities[0]
    assert judgement.margin == pytest.approx(similarities[0] - similarities[1])


def test_there_is_no_margin_with_one_person_known() -> None:
    assert DECISION.identify(nearest(0.99)).margin is None


def test_the_threshold_itself_passes() -> None:
    passing = similarity_at(DECISION.identification(10))
    assert DECISION.identify(nearest(passing)).verdict == "match"
    assert DECISION.identify(nearest(passing - 1e-4)).verdict == "unknown"


def test_what_matches_among_few_may_be_unknown_among_many() -> None:
    passing = similarity_at(DECISION.identification(10))
    assert DECISION.identify(nearest(passing, templates=1000)).verdict == "unknown"
