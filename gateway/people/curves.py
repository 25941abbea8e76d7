"""Measured rates at which a stranger reaches a similarity to an enrolled person.

``python -m benchmarks.calibration --write`` wrote ``curves.json``, which also names the pictures that were measured.
There is a curve for each number of pictures of the enrolled person: the mean of several pictures is a little more
similar to every face than one picture is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CURVES_FILE = Path(__file__).with_name("curves.json")


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Curve of the false match rate over the similarity. Both arrays are float64, (n,), and ascend.

    ``decades``: -log10 of the share of pairs of different people at or above each of ``similarities``; ``beyond``: the
    slope after the last point, in similarity for each decade; by default the slope of the last segment.
    """

    # Nothing was measured beyond the last point. The extended straight line is on the safe side there:
    # the tail of the distribution falls more and more steeply.

    similarities: NDArray[np.float64]
    decades: NDArray[np.float64]
    beyond: float | None = None
    # Each face of each frame looks a similarity up, so the line is extended only once.
    _extended: tuple[NDArray[np.float64], NDArray[np.float64]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_extended", self._extend())

    def decades_at(self, similarity: float) -> float:
        """Return -log10 of the false match rate at a similarity, by linear interpolation.

        The last segment is extended. Below the first point the value is that of the first point.
        """
        return float(np.interp(similarity, *self._extended))

    def similarity_at(self, decades: float) -> float:
        """Return the similarity at -log10 of a false match rate, at least that of the first point."""
        similarities, known = self._extended
        return float(np.interp(decades, known, similarities))

    @property
    def measured_decades(self) -> float:
        """Return the largest value of ``decades`` that was measured."""
        return float(self.decades[-1])

    @property
    def slope(self) -> float:
        """Return the slope of the last segment, in similarity for each decade."""
        return float((self.similarities[-1] - self.similarities[-2]) / (self.decades[-1] - self.decades[-2]))

    def _extend(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return similarities and decades with one more point, 20 decades beyond the last."""
        slope = self.slope if self.beyond is None else self.beyond
        far = self.decades[-1] + 20
        return np.append(self.similarities, self.similarities[-1] + 20 * slope), np.append(self.decades, far)


@dataclass(frozen=True, slots=True)
class Curves:
    """Curves by the number of pictures of an enrolled person, beginning with 1."""

    by_pictures: tuple[Curve, ...]

    def for_pictures(self, pictures: int) -> Curve:
        """Return the curve for a number of pictures; for more than were measured, the last curve."""
        return self.by_pictures[min(pictures, len(self.by_pictures)) - 1]


@cache
def measured_curves(engine: str) -> Curves:
    """Return the measured curves of an engine, ``facegate`` or ``stock``. Raises KeyError for another engine."""
    return read_curves(json.loads(CURVES_FILE.read_text())["curves"][engine])


def read_curves(table: Mapping[str, Any]) -> Curves:
    """Return the curves in the JSON of a measurement. Raises KeyError, TypeError or ValueError for another content."""
    curves = [_read_curve(table[key]["1"]) for key in sorted(table, key=int)]
    # One slope for all curves: otherwise they would cross beyond their last points.
    steepest = max(curve.slope for curve in curves)
    return Curves(tuple(replace(curve, beyond=steepest) for curve in curves))


def _read_curve(points: dict[str, list[float]]) -> Curve:
    return Curve(np.array(points["similarity"]), np.array(points["decades"]))
