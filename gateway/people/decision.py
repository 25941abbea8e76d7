"""Who a face is taken for: from similarities to verdicts, by rates of false matches.

A threshold is never a similarity that somebody picked: the user says how often a stranger may be named, and the
similarity follows from the measured curve of impostors and from how many known pictures a face is compared with.
"""

from __future__ import annotations

import math

import numpy as np

from gateway.model import Judgement
from gateway.people.gallery import Nearest

Curve = tuple[tuple[float, float], ...]
"""(similarity of two pictures, -log10 of the share of impostor pairs at or above it), ascending.

Beyond the last point nothing is known: there the line is drawn on.
"""

CURVE: Curve = ((0.8773, 0.301), (0.9188, 1.0), (0.9443, 2.0), (0.9595, 3.0), (0.9708, 4.0), (0.9793, 5.0))
"""Of our engine: a face as in a stream beside one as enrolled, by people/similarity.py.

Measured by ``python -m benchmarks.calibration`` on 2,043 grey press photographs (250 x 250, at most six of a person)
of 1,226 people of LFW, each half judged by the typical faces of the other: a million impostor pairs, so that the last
point rests on ten of them. Genuine pairs missed at the same similarities: 0, 0.1, 1.1, 5.0, 15.6 and 29.0 %. Two faces
as enrolled (face_match) pass 1.12 to 1.14 times as often.
"""

STOCK_CURVE: Curve = ((0.8422, 0.301), (0.8841, 1.0), (0.911, 2.0), (0.9273, 3.0), (0.9392, 4.0), (0.9494, 5.0))
"""The same of the stock engines, by the cosine of one chip: 3.5 million impostor pairs out of 2,669 pictures of 1,219
people of LFW, before more than six of a person were left out. Missed: 0, 0.1, 1.2, 6.2, 16.6 and 33.6 %.
"""

FULL_SCORE = 6.0
"""Decades of the false match rate at which the score is 1: one false match in a million comparisons."""


class Decision:
    def __init__(self, max_false_identification: float, max_false_match: float, curve: Curve = CURVE) -> None:
        self._similarities, self._decades = (np.array(column) for column in zip(*curve, strict=True))
        self._max_false_identification = max_false_identification
        self._max_false_match = max_false_match

    def score(self, similarity: float) -> float:
        """0 to 1: min(1, -log10(FMR) / 6), with FMR the false match rate of two pictures at this similarity."""
        return min(self._false_matches(similarity) / FULL_SCORE, 1.0)

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

    def _false_matches(self, similarity: float) -> float:
        """-log10 of their rate, on straight lines through the curve; the last goes on, the first ends level."""
        if similarity < self._similarities[-1]:
            return float(np.interp(similarity, self._similarities, self._decades))
        slope = (self._decades[-1] - self._decades[-2]) / (self._similarities[-1] - self._similarities[-2])
        return float(self._decades[-1] + slope * (similarity - self._similarities[-1]))
