"""Who a face is taken for: from similarities to verdicts, by rates of false matches.

A threshold is never a similarity that somebody picked: the user says how often a stranger may be named, and the
similarity follows from the measured curve of impostors and from how many known pictures a face is compared with.
"""

from __future__ import annotations

import math

import numpy as np

from gateway.model import Judgement
from gateway.people.gallery import Nearest

CURVE = ((0.8422, 0.301), (0.8841, 1.0), (0.911, 2.0), (0.9273, 3.0), (0.9392, 4.0), (0.9494, 5.0))
"""(cosine of two pictures, -log10 of the share of impostor pairs at or above it), for one chip aligned by five points.

Measured by ``python -m benchmarks.calibration`` with face_recognition 1.3.0 and dlib 20.0.1 on 2,669 grey press
photographs (250 x 250) of 1,219 people of LFW: 3.5 million impostor pairs. Genuine pairs missed at the same
cosines: 0, 0.1, 1.2, 6.2, 16.6 and 33.6 %. Nothing is known beyond the last point, where the line is drawn on.
"""
_SIMILARITIES, _DECADES = (np.array(column) for column in zip(*CURVE, strict=True))

FULL_SCORE = 6.0
"""Decades of the false match rate at which the score is 1: one false match in a million comparisons."""


class Decision:
    def __init__(self, max_false_identification: float, max_false_match: float) -> None:
        self._max_false_identification = max_false_identification
        self._max_false_match = max_false_match

    def score(self, similarity: float) -> float:
        """0 to 1: min(1, -log10(FMR) / 6), with FMR the false match rate of two pictures at this similarity."""
        return min(_decades(similarity) / FULL_SCORE, 1.0)

    def identification(self, templates: int) -> float:
        """The score from which a face is named, where it is compared with so many known pictures.

        By Boole's inequality the chance that a stranger passes with any of them is then at most
        ``max_false_identification``.
        """
        return self._threshold(self._max_false_identification, templates)

    def verification(self, templates: int) -> float:
        """The same for a claim of being one person, of whom there are so many pictures."""
        return self._threshold(self._max_false_match, templates)

    def identify(self, nearest: Nearest) -> Judgement:
        """``match`` if the nearest person passes, ``ambiguous`` if the next one does too, else ``unknown``."""
        if not nearest.candidates:
            return Judgement("unknown")
        threshold = self.identification(nearest.templates)
        best, *others = nearest.candidates
        score = self.score(best.similarity)
        margin = best.similarity - others[0].similarity if others else None
        if score < threshold:
            return Judgement("unknown", None, score, best.similarity, margin)
        if others and self.score(others[0].similarity) >= threshold:
            return Judgement("ambiguous", None, score, best.similarity, margin)
        return Judgement("match", best.person, score, best.similarity, margin)

    def _threshold(self, rate: float, templates: int) -> float:
        """1 at the most: beyond one false match in a million nothing could be promised."""
        return min(-math.log10(rate / max(templates, 1)) / FULL_SCORE, 1.0)


def _decades(similarity: float) -> float:
    """-log10 of the false match rate, on straight lines through the curve; the last goes on, the first ends level."""
    if similarity >= _SIMILARITIES[-1]:
        slope = (_DECADES[-1] - _DECADES[-2]) / (_SIMILARITIES[-1] - _SIMILARITIES[-2])
        return float(_DECADES[-1] + slope * (similarity - _SIMILARITIES[-1]))
    return float(np.interp(similarity, _SIMILARITIES, _DECADES))
