from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gateway.model import Judgement, Person, Quality, QualityLimits
from gateway.people.curves import Curve, Curves, measured_curves
from gateway.people.decision import FULL_SCORE, Decision
from gateway.people.gallery import Nearest
from gateway.people.gallery_rows import MAX_COUNTED_PICTURES, Candidate
from tests.examples import ALICE, BOB, QUALITY

CURVES = measured_curves("facegate")
DECISION = Decision(0.01, 0.001, CURVES)


def nearest(*similarities: float, people: int = 10, pictures: int = 1) -> Nearest:
    candidates = [Candidate(person, each, pictures) for person, each in zip((ALICE, BOB), similarities, strict=False)]
    return Nearest(tuple(candidates), people)


def similarity_at(score: float, pictures: int = 1) -> float:
    """Return the lowest similarity on a fine grid that reaches this score."""
    return float(next(each for each in np.linspace(0.8, 1.2, 40_001) if DECISION.score(each, pictures) >= score))


@pytest.mark.parametrize("pictures", range(1, MAX_COUNTED_PICTURES + 1))
def test_score_is_a_sixth_of_the_decades(pictures: int) -> None:
    curve = CURVES.for_pictures(pictures)
    for similarity, decades in zip(curve.similarities, curve.decades, strict=True):
        assert DECISION.score(similarity, pictures) == pytest.approx(decades / 6)


@pytest.mark.parametrize("pictures", range(1, MAX_COUNTED_PICTURES + 1))
def test_score_never_falls_as_the_similarity_rises(pictures: int) -> None:
    scores = [DECISION.score(similarity, pictures) for similarity in np.linspace(-1, 1.5, 2001)]
    assert scores == sorted(scores)
    assert 0 <= scores[0] < 0.1
    assert scores[-1] == 1


def test_score_rises_from_the_first_point_of_the_curve_to_one() -> None:
    between = np.linspace(CURVES.for_pictures(1).similarities[0], similarity_at(1) - 1e-3, 200)
    assert (np.diff([DECISION.score(similarity) for similarity in between]) > 0).all()


def test_score_beyond_the_curve_is_extrapolated() -> None:
    curve = Curve(np.array([0.5, 0.7, 0.8]), np.array([1.0, 2.0, 3.0]))
    assert 6 * Decision(0.01, 0.001, Curves((curve,))).score(0.85) == pytest.approx(3.5)


def test_score_is_lower_for_the_mean_of_more_pictures() -> None:
    assert DECISION.score(0.96, 2) < DECISION.score(0.96, 1)


def test_score_does_not_depend_on_the_settings() -> None:
    assert Decision(0.5, 0.5, CURVES).score(0.93) == DECISION.score(0.93)
    fixed = Decision(0.5, 0.5, CURVES, fixed_identification=0.1, fixed_verification=0.2)
    assert fixed.score(0.93) == DECISION.score(0.93)


@pytest.mark.parametrize("people", [1, 10, 1000])
def test_identification_threshold_keeps_the_rate_for_any_number_of_people(people: int) -> None:
    """Boole's inequality: the rate is at most the number of people times the false match rate."""
    identification = 10 ** (-6 * DECISION.identification_threshold(people))
    assert identification * people == pytest.approx(0.01)


def test_verification_threshold_is_that_of_one_comparison() -> None:
    assert 10 ** (-6 * DECISION.verification_threshold()) == pytest.approx(0.001)


def test_identification_threshold_rises_with_the_number_of_people() -> None:
    thresholds = [DECISION.identification_threshold(people) for people in (1, 2, 10, 100, 10_000)]
    assert thresholds == sorted(set(thresholds))


def test_lower_rates_give_higher_thresholds() -> None:
    assert Decision(0.001, 0.001, CURVES).identification_threshold(10) > DECISION.identification_threshold(10)
    assert Decision(0.01, 0.0001, CURVES).verification_threshold() > DECISION.verification_threshold()


def test_identification_threshold_exists_without_people() -> None:
    assert (
        DECISION.identification_threshold(0)
        == DECISION.identification_threshold(1)
        == pytest.approx(-math.log10(0.01) / 6)
    )


def test_fixed_threshold_does_not_depend_on_the_number_of_people() -> None:
    fixed = Decision(0.01, 0.001, CURVES, fixed_identification=0.55, fixed_verification=0.45)
    assert fixed.identification_threshold(1) == fixed.identification_threshold(10**6) == 0.55
    assert fixed.verification_threshold() == 0.45


def test_decision_uses_rates_below_one_in_a_million() -> None:
    """The score ends at 1, so the decision compares decades."""
    strict = Decision(1e-5, 1e-5, CURVES)
    assert strict.identification_threshold(10**6) > 1
    barely = similarity_at(1) + 1e-4
    assert strict.score(barely) == 1
    assert strict.identify(nearest(barely, people=10**6)).verdict == "unknown"
    assert strict.identify(nearest(CURVES.for_pictures(1).similarity_at(11.1), people=10**6)).verdict == "match"


def test_max_measured_people_follows_from_the_measured_rate() -> None:
    """A measured rate of one in 10,000 and an allowed rate of one in 100 give 100 people."""
    flat = Curve(np.array([0.5, 0.9]), np.array([1.0, 4.0]))
    assert Decision(0.01, 0.001, Curves((flat,))).max_measured_people() == 100


@pytest.mark.parametrize("people", [1, 10, 1000, 10**5])
def test_similarity_limits_agree_with_the_decision(people: int) -> None:
    """Faces slightly above the limit match, and faces slightly below it are unknown."""
    limits = DECISION.similarity_limits(people)
    assert limits[0] == np.inf
    assert len(limits) == MAX_COUNTED_PICTURES + 1
    for pictures, limit in enumerate(limits[1:].tolist(), 1):
        assert DECISION.identify(nearest(limit + 1e-4, people=people, pictures=pictures)).verdict == "match"
        assert DECISION.identify(nearest(limit - 1e-4, people=people, pictures=pictures)).verdict == "unknown"


def test_empty_gallery_gives_unknown() -> None:
    assert DECISION.identify(nearest(people=0)) == Judgement("unknown")


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
def test_one_passing_person_is_a_match_and_two_are_ambiguous(
    similarities: tuple[float, ...], verdict: str, person: Person | None
) -> None:
    judgement = DECISION.identify(nearest(*similarities))
    assert (judgement.verdict, judgement.person) == (verdict, person)


def test_match_names_the_person_who_passes() -> None:
    """Regression: the first candidate was named, also if only the second one passed."""
    for below in (0.5, math.nan):
        judgement = DECISION.identify(nearest(below, 0.99))
        assert (judgement.verdict, judgement.person, judgement.similarity) == ("match", BOB, 0.99)
        assert judgement.score == DECISION.score(0.99)


def test_ambiguous_judgement_lists_all_passing_people() -> None:
    judgement = DECISION.identify(nearest(0.99, 0.98))
    assert [(each.person, each.similarity) for each in judgement.candidates] == [(ALICE, 0.99), (BOB, 0.98)]
    assert [each.score for each in judgement.candidates] == [DECISION.score(0.99), DECISION.score(0.98)]
    assert DECISION.identify(nearest(0.99, 0.5)).candidates == ()
    assert DECISION.identify(nearest(0.5, 0.4)).candidates == ()


@pytest.mark.parametrize("similarities", [(0.99, 0.5), (0.5, 0.4), (0.99, 0.98)])
def test_judgement_holds_score_similarity_and_margin(similarities: tuple[float, float]) -> None:
    judgement = DECISION.identify(nearest(*similarities, pictures=3))
    assert judgement.score == DECISION.score(similarities[0], 3)
    assert judgement.similarity == similarities[0]
    assert judgement.margin == pytest.approx(similarities[0] - similarities[1])


def test_judgement_with_one_person_has_no_margin() -> None:
    assert DECISION.identify(nearest(0.99)).margin is None


def test_score_at_the_threshold_passes() -> None:
    passing = similarity_at(DECISION.identification_threshold(10))
    assert DECISION.identify(nearest(passing)).verdict == "match"
    assert DECISION.identify(nearest(passing - 1e-4)).verdict == "unknown"


def test_same_similarity_may_be_unknown_among_more_people() -> None:
    passing = similarity_at(DECISION.identification_threshold(10))
    assert DECISION.identify(nearest(passing, people=1000)).verdict == "unknown"


def test_same_similarity_may_be_unknown_for_more_pictures() -> None:
    passing = similarity_at(DECISION.identification_threshold(10))
    assert DECISION.identify(nearest(passing, pictures=2)).verdict == "unknown"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (replace(QUALITY, pixels=20), "too_small"),
        (replace(QUALITY, inside=0.3), "cut_off"),
        (replace(QUALITY, brightness=0.01), "too_dark"),
        (replace(QUALITY, sharpness=0.01), "blurred"),
        (replace(QUALITY, pose=0.01), "turned"),
    ],
)
def test_face_of_too_low_quality_gets_the_reason(seen: Quality, reason: str) -> None:
    assert DECISION.unfit_reason(seen) == reason
    assert DECISION.identify(nearest(0.99), seen) == Judgement(reason)


@pytest.mark.parametrize(
    ("seen", "reason", "words"),
    [
        (replace(QUALITY, pixels=59), "too_small", "pixels 59, at least 60 is needed"),
        (replace(QUALITY, brightness=0.11), "too_dark", "brightness 0.11, at least 0.12 is needed"),
        (replace(QUALITY, sharpness=0.54), "blurred", "sharpness 0.54, at least 0.55 is needed"),
        (replace(QUALITY, clean=0.55), "compressed", "clean 0.55, at least 0.56 is needed"),
    ],
)
def test_enrolment_needs_a_higher_quality_than_recognition(seen: Quality, reason: str, words: str) -> None:
    assert DECISION.unfit_reason(seen) is None
    shortfall = DECISION.enrolment_shortfall(seen)
    assert shortfall is not None
    assert (shortfall.reason, str(shortfall)) == (reason, words)


def test_face_that_cannot_be_named_is_not_enrolled() -> None:
    strict = Decision(0.01, 0.001, CURVES, QualityLimits(pixels=200), QualityLimits(pixels=0))
    shortfall = strict.enrolment_shortfall(QUALITY)
    assert shortfall is not None
    assert shortfall.reason == "too_small"
    assert DECISION.enrolment_shortfall(QUALITY) is None
    assert DECISION.enrolment_shortfall(None) is None


def test_quality_at_the_limit_is_accepted() -> None:
    limits = QualityLimits()
    just = Quality(limits.pixels, limits.brightness, limits.sharpness, limits.pose, limits.inside)
    assert DECISION.unfit_reason(just) is None
    assert DECISION.identify(nearest(0.99), just).verdict == "match"
    assert Decision(0.01, 0.001, CURVES, QualityLimits(pixels=limits.pixels + 1)).unfit_reason(just) == "too_small"


def test_face_without_quality_is_accepted() -> None:
    assert DECISION.unfit_reason(None) is None


def test_share_of_the_rate_raises_the_threshold() -> None:
    whole, tenth = DECISION.identification_threshold(10), DECISION.identification_threshold(10, 0.1)
    assert tenth - whole == pytest.approx(1 / FULL_SCORE)
    fixed = Decision(0.01, 0.001, CURVES, fixed_identification=0.5)
    assert fixed.identification_threshold(10, 0.1) == pytest.approx(0.5 + 1 / FULL_SCORE)


@pytest.mark.parametrize("share", [1.0, 0.05])
@pytest.mark.parametrize("probes", [1, 1.25, 2, 3, 5])
def test_limits_of_a_mean_agree_with_the_decision(probes: float, share: float) -> None:
    limit = float(DECISION.similarity_limits(10, probes, share)[3])
    verdicts = [
        DECISION.identify(nearest(limit + change, pictures=3), probes=probes, share=share).verdict
        for change in (-1e-4, 1e-4)
    ]
    assert verdicts == ["unknown", "match"]


def test_limits_rise_with_the_different_pictures_of_a_mean() -> None:
    limits = np.array([DECISION.similarity_limits(100, probes)[1:] for probes in (1, 1.5, 2, 2.5, 3, 4, 5)])
    assert (np.diff(limits, axis=0) > -1e-6).all()


def test_joining_a_group_needs_more_similarity_among_more_groups() -> None:
    thresholds = [DECISION.join_threshold(groups) for groups in (0, 1, 10, 100)]
    assert thresholds == pytest.approx([2 / 6, 2 / 6, 3 / 6, 4 / 6])
