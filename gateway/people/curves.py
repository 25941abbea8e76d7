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
    """Curves by the number of pictures of an enrolled person, beginning with 1.

    ``by_probes``: curves for the mean of several pictures of the face, by their number, each in the form of
    ``by_pictures``.
    """

    by_pictures: tuple[Curve, ...]
    by_probes: Mapping[int, tuple[Curve, ...]] = field(default_factory=dict)

    @property
    def max_probes(self) -> int:
        """Return the largest number of pictures of a face whose mean was measured."""
        return max(self.by_probes, default=1)

    def for_pictures(self, pictures: int, probes: int = 1) -> Curve:
        """Return the curve for a number of pictures; for more than were measured, the last curve.

        ``probes``: the number of pictures of the face. A number that was not measured gets the curve of the next larger
        one: the mean of more pictures is more similar to every face. Raises ValueError above ``max_probes``.
        """
        curves = self.by_pictures if probes == 1 else self._for_probes(probes)
        return curves[min(pictures, len(curves)) - 1]

    def _for_probes(self, probes: int) -> tuple[Curve, ...]:
        return self.by_probes[min(each for each in self.by_probes if each >= probes)]


@cache
def measured_curves(engine: str) -> Curves:
    """Return the measured curves of an engine, ``facegate`` or ``stock``. Raises KeyError for another engine."""
    return read_curves(json.loads(CURVES_FILE.read_text())["curves"][engine])


def read_curves(table: Mapping[str, Any]) -> Curves:
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
    return Curves(curves.pop(1), curves)


def _read_curve(points: dict[str, list[float]]) -> Curve:
    return Curve(np.array(points["similarity"]), np.array(points["decades"]))
