"""Decisions from similarities to verdicts, by rates of false matches.

No threshold is a similarity that somebody chose. The user sets how often a stranger may be named. The similarity
follows from the measured curves and from the number of enrolled people.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import ENROLMENT_LIMITS, Judgement, Likeness, Quality, QualityLimits, QualityProblem
from gateway.people.curves import Curves
from gateway.people.gallery import Nearest
from gateway.people.gallery_rows import MAX_COUNTED_PICTURES, Candidate

FULL_SCORE = 6.0
"""Decades of the false match rate at which the score is 1: one false match in a million comparisons."""

UPRIGHT_REASON: QualityProblem = "turned"
"""Reason for a face of sufficient quality that has no descriptor: vision could not turn it upright."""

MEASURES: Mapping[str, QualityProblem] = {
    "pixels": "too_small",
    "inside": "cut_off",
    "brightness": "too_dark",
    "sharpness": "blurred",
    "clean": "compressed",
    "pose": "turned",
}
"""Fields of Quality in the order in which they are judged, each with the reason for a value below its limit."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Reason why the quality of a face is too low.

    ``measure``: the field of Quality; ``found``: its value; ``needed``: the lowest value that is accepted.
    """

    reason: QualityProblem
    measure: str
    found: float
    needed: float

    def __str__(self) -> str:
        return f"{self.measure} {self.found:g}, at least {self.needed:g} is needed"


class Decision:
    """Rules by which a face is named, verified, or found to be of too low quality."""

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
        """``max_false_identification``: the share of strangers who may be named; ``max_false_match``: the share of
        wrong claims that may be confirmed; ``quality`` and ``enrolment``: the lowest quality of a face to be named and
        to be enrolled; ``fixed_identification`` and ``fixed_verification``: thresholds to use instead of the rates, as
        scores from 0 to 1.
        """
        self._max_false_identification = max_false_identification
        self._max_false_match = max_false_match
        self._curves = curves
        self._quality = quality or QualityLimits()
        self._enrolment = enrolment
        self._fixed_identification = fixed_identification
        self._fixed_verification = fixed_verification
        # The limits of the last calls of ``similarity_limits``, all for one number of people.
        self._limits: Mapping[tuple[int, float, float], NDArray[np.float32]] = {}

    def score(self, similarity: float, pictures: int = 1, probes: float = 1) -> float:
        """Return the score of a similarity to a person with this number of pictures, from 0 to 1.

        The score is min(1, -log10(FMR) / 6). FMR is the false match rate at that similarity. ``probes``: the number of
        different pictures whose mean was compared (``Curves.different_probes``).
        """
        return min(self._curves.for_pictures(pictures, probes).decades_at(similarity) / FULL_SCORE, 1.0)

    def identification_threshold(self, people: int, share: float = 1.0) -> float:
        """Return the lowest score at which a face is named among this number of people.

        ``share``: the share of the allowed rate that this comparison may use. The threshold is above 1 for so many
        people that hardly any face can be named.
        """
        # Boole's inequality: the chance that a stranger passes for any of n people is at most
        # n times the false match rate, so at most max_false_identification.
        if self._fixed_identification is not None:
            return self._fixed_identification + _score(share)
        return _score(share * self._max_false_identification / max(people, 1))

    def named_strangers(self, people: int) -> float:
        """Return the allowed share of strangers that are named among this number of people."""
        if self._fixed_identification is None:
            return self._max_false_identification if people else 0.0
        return float(min(people * 10 ** (-FULL_SCORE * self._fixed_identification), 1.0))

    @property
    def curves(self) -> Curves:
        """Return the curves from which the thresholds follow."""
        return self._curves

    def join_threshold(self, groups: int) -> float:
        """Return the score above which a face joins an unknown group among this number of groups.

        A new stranger joins the group of another one with at most the chance ``max_false_identification``.
        """
        return _score(self._max_false_identification / max(groups, 1))

    def verification_threshold(self) -> float:
        """Return the lowest score at which a claim to be one person is confirmed."""
        return self._fixed_verification if self._fixed_verification is not None else _score(self._max_false_match)

    def verifies(self, candidate: Candidate) -> bool:
        """Return whether a face is similar enough to confirm the claim that it shows this person."""
        return self.score(candidate.similarity, candidate.pictures) >= self.verification_threshold()

    def max_measured_people(self) -> int:
        """Return the largest number of people for which the threshold lies on the measured part of the curves."""
        return int(
            self._max_false_identification * 10 ** self._curves.for_pictures(MAX_COUNTED_PICTURES).measured_decades
        )

    def similarity_limits(self, people: int, probes: float = 1, share: float = 1.0) -> NDArray[np.float32]:
        """Return the lowest similarity at which a face is named, by the person's number of pictures.

        ``probes`` and ``share`` as for ``score`` and ``identification_threshold``. The result: float32,
        (MAX_COUNTED_PICTURES + 1,); infinite for a person without pictures.
        """
        key = people, probes, share
        if (known := self._limits.get(key)) is not None:
            return known
        decades = FULL_SCORE * self.identification_threshold(people, share)
        by_pictures = [
            self._curves.for_pictures(pictures, probes).similarity_at(decades)
            for pictures in range(1, MAX_COUNTED_PICTURES + 1)
        ]
        limits = np.array([np.inf, *by_pictures], np.float32)
        # Many threads ask, so the mapping is replaced and never changed.
        self._limits = {**{each: old for each, old in self._limits.items() if each[0] == people}, key: limits}
        return limits

    def unfit_reason(self, quality: Quality | None) -> QualityProblem | None:
        """Return why a face must not be named for its quality, or None if the quality is sufficient or unknown."""
        shortfall = _shortfall(quality, self._quality)
        return shortfall.reason if shortfall else None

    def undescribed_reason(self, quality: Quality | None) -> QualityProblem:
        """Return why a face has no descriptor."""
        # Vision cannot tell surely which way is up in a very dark or small face, so such a reason comes first.
        return self.unfit_reason(quality) or UPRIGHT_REASON

    def is_too_small(self, quality: Quality | None) -> bool:
        """Return whether a face is smaller than the limit. Below it more strangers pass than the rates allow."""
        return quality is not None and quality.pixels < self._quality.pixels

    def enrolment_shortfall(self, quality: Quality | None) -> Shortfall | None:
        """Return why a face must not be enrolled, or None. A face that must not be named is not enrolled either."""
        return _shortfall(quality, self._enrolment) or _shortfall(quality, self._quality)

    def identify(
        self, nearest: Nearest, quality: Quality | None = None, probes: float = 1, share: float = 1.0
    ) -> Judgement:
        """Return the verdict on a face: ``match`` if one person reaches the threshold, ``ambiguous`` if several do,
        else ``unknown``. For a face of too low quality the verdict is the reason.

        ``probes`` and ``share`` as for ``similarity_limits``.
        """
        if (reason := self.unfit_reason(quality)) is not None:
            return Judgement(reason)
        if not nearest.candidates:
            return Judgement("unknown")
        passing = self.passing_candidates(nearest, probes, share)
        best = passing[0] if passing else nearest.candidates[0]
        others = [each for each in nearest.candidates if each is not best]
        score = self.score(best.similarity, best.pictures, probes)
        margin = best.similarity - others[0].similarity if others else None
        if not passing:
            return Judgement("unknown", None, score, best.similarity, margin)
        if len(passing) > 1:
            likely = tuple(self._likeness(each, probes) for each in passing)
            return Judgement("ambiguous", None, score, best.similarity, margin, likely)
        return Judgement("match", best.person, score, best.similarity, margin)

    def passing_candidates(self, nearest: Nearest, probes: float = 1, share: float = 1.0) -> list[Candidate]:
        """Return the candidates that reach the threshold, best first; none if the face shows a stranger."""
        decades = FULL_SCORE * self.identification_threshold(nearest.people, share)
        return [candidate for candidate in nearest.candidates if self._decades(candidate, probes) >= decades]

    def _likeness(self, candidate: Candidate, probes: float) -> Likeness:
        score = self.score(candidate.similarity, candidate.pictures, probes)
        return Likeness(candidate.person, score, candidate.similarity)

    def _decades(self, candidate: Candidate, probes: float) -> float:
        # Decades are compared, since a score ends at 1, a rate of one in a million.
        return self._curves.for_pictures(candidate.pictures, probes).decades_at(candidate.similarity)


def _shortfall(quality: Quality | None, limits: QualityLimits) -> Shortfall | None:
    """Return the first measure that is below its limit, or None if all are sufficient or unknown."""
    for measure, reason in MEASURES.items() if quality else ():
        found, needed = getattr(quality, measure), getattr(limits, measure)
        if found < needed:
            return Shortfall(reason, measure, found, needed)
    return None


def _score(rate: float) -> float:
    """Return the score at a false match rate."""
    return -math.log10(rate) / FULL_SCORE
