"""How often strangers look how much like somebody known: measured, by how many pictures that person is known by.

``curves.json`` was written by ``python -m benchmarks.calibration --write``, and says of what. The mean of several
pictures resembles everybody a little more than one picture does, so that each number of pictures has a curve.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("curves.json")


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """``decades``: -log10 of the share of pairs of different people at or above each of ``similarities``; ascending.

    Beyond the last point nothing was measured: there the line is drawn on, which errs on the side of caution, since the
    tail of a distribution falls ever more steeply.
    """

    similarities: NDArray[np.float64]
    decades: NDArray[np.float64]
    beyond: float | None = None

    def decades_at(self, similarity: float) -> float:
        """-log10 of the false match rate, on straight lines; the last goes on, the first ends level."""
        return float(np.interp(similarity, *self._drawn_on()))

    def similarity_at(self, decades: float) -> float:
        """The reverse; at least that of the first point."""
        similarities, known = self._drawn_on()
        return float(np.interp(decades, known, similarities))

    @property
    def measured_decades(self) -> float:
        """The decades up to which it was measured."""
        return float(self.decades[-1])

    @property
    def slope(self) -> float:
        return float((self.similarities[-1] - self.similarities[-2]) / (self.decades[-1] - self.decades[-2]))

    def _drawn_on(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        slope = self.slope if self.beyond is None else self.beyond
        far = self.decades[-1] + 20
        return np.append(self.similarities, self.similarities[-1] + 20 * slope), np.append(self.decades, far)


@dataclass(frozen=True, slots=True)
class Curves:
    """By the number of pictures a person is known by, from 1; more than there are curves for are taken for the last."""

    by_pictures: tuple[Curve, ...]

    def for_pictures(self, pictures: int) -> Curve:
        return self.by_pictures[min(pictures, len(self.by_pictures)) - 1]


@cache
def measured_curves(engine: str) -> Curves:
    """``engine``: ``facegate`` or ``stock``."""
    table = json.loads(FILE.read_text())["curves"][engine]
    curves = [_curve(table[key]["1"]) for key in sorted(table, key=int)]
    steepest = max(curve.slope for curve in curves)  # for all, or they would cross
    return Curves(tuple(replace(curve, beyond=steepest) for curve in curves))


def _curve(points: dict[str, list[float]]) -> Curve:
    return Curve(np.array(points["similarity"]), np.array(points["decades"]))
