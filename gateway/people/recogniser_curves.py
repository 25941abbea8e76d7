"""The curves of a recogniser of the user's own, made of labelled pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gateway.errors import GatewayError
from gateway.model import Analysis, Descriptor
from gateway.people.curve_measurement import (
    MIN_PAIRS,
    RATES,
    LabelledFaces,
    count_pairs,
    measure_curves,
    same_cosine,
)
from gateway.people.gallery_rows import MAX_COUNTED_PICTURES
from gateway.people.similarity import Vectors
from gateway.people.typical_faces import one_each, typical


@dataclass(frozen=True, slots=True, eq=False)
class RecogniserCurves:
    """The curves, in the form of ``curves.json``, and the typical faces, float32, (k, d), k may be 0.

    ``same_cosine``: as in ``Curves``.
    """

    curves: Mapping[str, Mapping[str, Any]]
    same_cosine: float | None
    typical: Vectors
    pictures: int
    people: int


def middle_descriptor(analysis: Analysis) -> Descriptor | None:
    """Return the descriptor of the face nearest to the middle of a picture, or None without such a face."""
    middle = np.array([analysis.image.width, analysis.image.height]) / 2
    found = [
        (float(np.hypot((box.left + box.right) / 2 - middle[0], (box.top + box.bottom) / 2 - middle[1])), face)
        for face in analysis.faces
        for box in [face.box]
    ]
    return min(found, key=lambda each: each[0])[1].descriptor if found else None


def measure_recogniser(names: Sequence[str], descriptors: Sequence[Descriptor], rate: float) -> RecogniserCurves:
    """Return the curves of pictures of these people. Raise GatewayError for too few pictures.

    ``rate``: as for ``check_enough``.
    """
    check_enough(names, rate)
    labels, people = np.unique(names, return_inverse=True)
    vectors = np.stack(descriptors)
    crowd = typical(one_each(vectors, people))
    faces = LabelledFaces(people, vectors, vectors)
    curves = _reaching(measure_curves(faces, with_typical=len(crowd) > 0), needed_rate(rate))
    return RecogniserCurves(curves, same_cosine(faces), crowd, len(names), len(labels))


def _reaching(curves: Mapping[str, Mapping[str, Any]], rate: float) -> dict[str, dict[str, Any]]:
    """Return the curves of one picture, and those of the mean of several pictures that reach this false match rate.

    Without a curve, a sighting is decided by single pictures. That is on the safe side.
    """
    decades = -math.log10(rate) - 1e-3
    return {
        key: {probes: points for probes, points in each.items() if probes == "1" or points["decades"][-1] >= decades}
        for key, each in curves.items()
    }


def needed_rate(rate: float) -> float:
    """Return the rate that the curves must reach. A curve has two points at least."""
    return min(max(rate, min(RATES)), RATES[1])


def check_enough(names: Sequence[str], rate: float) -> None:
    """Raise GatewayError if curves of pictures of these people would not reach the false match rate.

    ``names``: of the person in each picture. ``rate``: the lowest rate of RATES is enough for lower ones.
    """
    labels, people = np.unique(names, return_inverse=True)
    if len(labels) < 2:
        raise GatewayError(
            "curves need pictures of at least two people in which a face is found: name a folder with a folder for each"
            " person"
        )
    rate = needed_rate(rate)
    needed = round(MIN_PAIRS / rate)
    # Only the number of pairs matters.
    vectors = np.ones((len(people), 1), np.float32)
    for pictures in range(1, MAX_COUNTED_PICTURES + 1):
        pairs = count_pairs(LabelledFaces(people, vectors, vectors), pictures)
        if pairs < needed:
            raise GatewayError(
                f"too few pictures for curves: one mistake in {1 / rate:,.0f} takes {needed:,} comparisons of different"
                f" people, and for people with {pictures} picture(s) there are {pairs:,}. Add more people, some of them"
                " with at least 5 pictures, or allow more mistakes (decision.max_false_identification,"
                " decision.max_false_match)"
            )
