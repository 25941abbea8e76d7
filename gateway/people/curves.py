"""Measured rates at which a stranger reaches a similarity to an enrolled person.

``python -m benchmarks.calibration --write`` wrote ``curves.json``, which also names the pictures that were measured.
There is a curve for each number of pictures of the enrolled person: the mean of several pictures is a little more
similar to every face than one picture is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CURVES_FILE = Path(__file__).with_name("curves.json")

SPREAD_STEPS = 20
"""Steps in which the difference of some pictures of a face is rounded up, so that few curves are made."""


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


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Curves by the number of pictures of an enrolled person, beginning with 1.

    ``by_probes``: curves for the mean of several different pictures of the face, by their number, each in the form of
    ``by_pictures``. ``same_cosine``: the cosine that a quarter of the pairs of pictures of one person exceed, or
    None if it was not measured.
    """

    by_pictures: tuple[Curve, ...]
    by_probes: Mapping[int, tuple[Curve, ...]] = field(default_factory=dict)
    same_cosine: float | None = None
    # Curves between those that were measured: at most SPREAD_STEPS for each number of pictures.
    _between: dict[tuple[int, float], Curve] = field(default_factory=dict, init=False, repr=False)

    @property
    def max_probes(self) -> int:
        """Return the largest number of pictures of a face whose mean was measured."""
        return max(self.by_probes, default=1)

    def different_probes(self, length: float, pictures: int) -> float:
        """Return the number of different pictures that some pictures of a face are worth, from 1 to ``pictures``.

        ``length``: of the mean of their descriptors. It is 1 for identical pictures, and shorter the more they differ.
        """
        if self.same_cosine is None:
            return float(pictures)
        # The squared length of the mean of n pictures whose cosines are s is s + (1 - s) / n.
        spread = (1 - min(length, 1.0) ** 2) / (1 - self.same_cosine)
        rounded = math.ceil(SPREAD_STEPS * spread - 1e-6) / SPREAD_STEPS
        return float(pictures) if rounded >= 1 - 1 / pictures else 1 / (1 - rounded)

    def for_pictures(self, pictures: int, probes: float = 1) -> Curve:
        """Return the curve for a number of pictures; for more than were measured, the last curve.

        ``probes``: the number of different pictures of the face whose mean is compared, at most ``max_probes``. Between
        two numbers that were measured, the curve is between theirs.
        """
        pictures = min(pictures, len(self.by_pictures))
        if probes == 1:
            return self.by_pictures[pictures - 1]
        if probes in self.by_probes:
            return self.by_probes[int(probes)][pictures - 1]
        key = pictures, probes
        if key not in self._between:
            self._between[key] = self._make_between(pictures, probes)
        return self._between[key]

    def _make_between(self, pictures: int, probes: float) -> Curve:
        """Return the curve between the two measured ones, in equal steps of 1 / probes."""
        less, more = self._neighbours(probes)
        place = (1 / less - 1 / probes) / (1 / less - 1 / more)
        return _between(self.for_pictures(pictures, less), self.for_pictures(pictures, more), place)

    def _neighbours(self, probes: float) -> tuple[int, int]:
        measured = [1, *sorted(self.by_probes)]
        return max(each for each in measured if each < probes), min(each for each in measured if each > probes)


def _between(one: Curve, other: Curve, place: float) -> Curve:
    """Return the curve between two others. ``place``: 0 for the first one, 1 for the other."""
    decades = np.union1d(one.decades, other.decades)
    first, second = (np.array([each.similarity_at(value) for value in decades]) for each in (one, other))
    return Curve(first + place * (second - first), decades, max(one.beyond or one.slope, other.beyond or other.slope))


@cache
def measured_curves(engine: str) -> Curves:
    """Return the measured curves of an engine, ``facegate`` or ``stock``. Raises KeyError for another engine."""
    content = json.loads(CURVES_FILE.read_text())
    return read_curves(content["curves"][engine], content["same_cosine"][engine])


def read_curves(table: Mapping[str, Any], same_cosine: float | None = None) -> Curves:
    """Return the curves in the JSON of a measurement. Raises KeyError, TypeError or ValueError for another content."""
    keys = sorted(table, key=int)
    # Only numbers of probes that were measured for each number of pictures.
    numbers = sorted({int(probes) for probes in table[keys[0]] if all(probes in table[key] for key in keys)})
    curves: dict[int, tuple[Curve, ...]] = {}
    steepest = 0.0
    for probes in numbers:
        measured = [_read_curve(table[key][str(probes)]) for key in keys]
        # One slope for all curves, and none less steep for more probes: otherwise curves would cross beyond their ends.
        steepest = max(steepest, *(curve.slope for curve in measured))
        curves[probes] = tuple(replace(curve, beyond=steepest) for curve in measured)
    return Curves(curves.pop(1), curves, same_cosine)


def _read_curve(points: dict[str, list[float]]) -> Curve:
    return Curve(np.array(points["similarity"]), np.array(points["decades"]))
