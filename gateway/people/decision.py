"""Who a face is taken for: from similarities to verdicts, by rates of false matches.

A threshold is never a similarity that somebody picked: the user says how often a stranger may be named, and the
similarity follows from the measured curves and from how many people are known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import ENROLMENT_LIMITS, Judgement, Likeness, Quality, QualityLimits, Unfit
from gateway.people.curves import Curves
from gateway.people.gallery import MAX_COUNTED_PICTURES, Candidate, Nearest

FULL_SCORE = 6.0
"""Decades of the false match rate at which the score is 1: one false match in a million comparisons."""

MEASURES: Mapping[str, Unfit] = {
    "pixels": "too_small",
    "inside": "cut_off",
    "brightness": "too_dark",
    "sharpness": "blurred",
    "clean": "compressed",
    "pose": "turned",
}
"""The fields of Quality in the order in which they are judged, and the reason where one is below its limit."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why a face is not seen well enough: the field of Quality, what was found, and the least that is needed."""

    reason: Unfit
    measure: str
    found: float
    needed: float

    def __str__(self) -> str:
        return f"{self.measure} {self.found:g}, at least {self.needed:g} is needed"


class Decision:
    """``fixed_identification``, ``fixed_verification``: scores to decide by instead of the rates, 0 to 1."""

    def __init__(
        self,
        max_false_identification: float,
        max_false_match: float,
        curves: Curves,
        quality: QualityLimits | None = None,
        enrolment: QualityLimits = ENROLMENT_LIMITS,
        *,
        fixed_identification: float | None = None,
        fixed_verification: float | None = None,
    ) -> None:
        self._max_false_identification = max_false_identification
        self._max_false_match = max_false_match
        self._curves = curves
        self._quality = quality or QualityLimits()
        self._enrolment = enrolment
        self._fixed_identification = fixed_identification
        self._fixed_verification = fixed_verification
        self._limits: tuple[int, NDArray[np.float32]] | None = None  # the last

    def score(self, similarity: float, pictures: int = 1) -> float:
        """0 to 1: min(1, -log10(FMR) / 6), with FMR the false match rate of a person known by so many pictures."""
        return min(self._curves.for_pictures(pictures).decades_at(similarity) / FULL_SCORE, 1.0)

    def identification_threshold(self, people: int) -> float:
        """The score from which a face is named where so many people are known; above 1 where hardly any can be.

        By Boole's inequality the chance that a stranger passes for any of them is then at most
        ``max_false_identification``.
        """
        if self._fixed_identification is not None:
            return self._fixed_identification
        return _score(self._max_false_identification / max(people, 1))

    def verification_threshold(self) -> float:
        """The same for a claim of being one person."""
        return self._fixed_verification if self._fixed_verification is not None else _score(self._max_false_match)

    def max_measured_people(self) -> int:
        """How many people may be known for the promise to rest on what was measured, not on the curve drawn on."""
        return int(
            self._max_false_identification * 10 ** self._curves.for_pictures(MAX_COUNTED_PICTURES).measured_decades
        )

    def similarity_limits(self, people: int) -> NDArray[np.float32]:
        """For each number of pictures, up to MOST_PICTURES, the similarity from which a face is named."""
        if self._limits and self._limits[0] == people:
            return self._limits[1]
        decades = FULL_SCORE * self.identification_threshold(people)
        by_pictures = [
            self._curves.for_pictures(pictures).similarity_at(decades)
            for pictures in range(1, MAX_COUNTED_PICTURES + 1)
        ]
        limits = np.array([np.inf, *by_pictures], np.float32)
        self._limits = people, limits
        return limits

    def unfit_reason(self, quality: Quality | None) -> Unfit | None:
        """Why nobody should be named by a face that is seen so badly; None if it is seen well enough."""
        shortfall = _shortfall(quality, self._quality)
        return shortfall.reason if shortfall else None

    def undescribed_reason(self, quality: Quality | None) -> Unfit:
        """Return why a face has no descriptor. No direction of a face that is very dark or small is surely upright, so
        such a reason comes before ``turned``.
        """
        return self.unfit_reason(quality) or "turned"

    def enrolment_shortfall(self, quality: Quality | None) -> Shortfall | None:
        """The reason not to enrol a face. A face that nobody is named by is not enrolled either."""
        return _shortfall(quality, self._enrolment) or _shortfall(quality, self._quality)

    def identify(self, nearest: Nearest, quality: Quality | None = None) -> Judgement:
        """``match`` if one person passes, ``ambiguous`` if more do, else ``unknown``; or what keeps
        the face from being judged at all.
        """
        if (reason := self.unfit_reason(quality)) is not None:
            return Judgement(reason)
        if not nearest.candidates:
            return Judgement("unknown")
        best, *others = nearest.candidates
        score = self.score(best.similarity, best.pictures)
        margin = best.similarity - others[0].similarity if others else None
        passing = self.passing_candidates(nearest)
        if not passing:
            return Judgement("unknown", None, score, best.similarity, margin)
        if len(passing) > 1:
            return Judgement("ambiguous", None, score, best.similarity, margin, tuple(map(self._likeness, passing)))
        return Judgement("match", best.person, score, best.similarity, margin)

    def passing_candidates(self, nearest: Nearest) -> list[Candidate]:
        """The people whom the face may show, the best first; nobody if it is nobody's in the gallery."""
        return [candidate for candidate in nearest.candidates if self._passes(candidate, nearest.people)]

    def _likeness(self, candidate: Candidate) -> Likeness:
        score = self.score(candidate.similarity, candidate.pictures)
        return Likeness(candidate.person, score, candidate.similarity)

    def _passes(self, candidate: Candidate, people: int) -> bool:
        """By decades, which unlike scores go on beyond one in a million."""
        decades = self._curves.for_pictures(candidate.pictures).decades_at(candidate.similarity)
        return decades >= FULL_SCORE * self.identification_threshold(people)


def _shortfall(quality: Quality | None, limits: QualityLimits) -> Shortfall | None:
    """None if the face is seen well enough, or nothing is known about that."""
    for measure, reason in MEASURES.items() if quality else ():
        found, needed = getattr(quality, measure), getattr(limits, measure)
        if found < needed:
            return Shortfall(reason, measure, found, needed)
    return None


def _score(rate: float) -> float:
    return -math.log10(rate) / FULL_SCORE
