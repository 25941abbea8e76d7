"""The measurement of curves, with pictures of many people whose names are known.

A person is the mean of one to five pictures. A probe is the mean of one, two, three or five other pictures. The result,
over all pairs of different people, is the similarity that is reached at each false match rate, if at least ten pairs
reach it. Its interval comes from resampling people, because pairs of one person are not independent. The result also
has the share of pairs of one person below each similarity.

The people are split in halves, and each half is compared with the typical faces of the other half
(``gateway/people/typical_faces.py``). Several random splits are pooled: the lowest rates depend on a few pairs of
people, and one split has only half of all pairs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.people.gallery_rows import MAX_COUNTED_PICTURES
from gateway.people.similarity import Similarity, Vectors
from gateway.people.typical_faces import one_each, typical

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

RATES = (0.5, 0.1, 0.01, 0.001, 3e-4, 1e-4, 3e-5, 1e-5)

MIN_PAIRS = 10
"""Smallest number of pairs above a threshold. A threshold with fewer pairs would depend on chance."""

PROBE_COUNTS = (1, 2, 3, 5)
MAX_SUBSETS = 10
"""Largest number of means of one person, of different subsets of the pictures."""

CAUTION = 1 / 3
"""Place of the curve of a mean between the measured one and the upper end of its interval.

Few people have several pictures, so such a curve may be too low by chance. With a third, about three of four resamples
are below it.
"""

SPLITS = 6
"""Random splits of the people in halves. Of 100 pairs of people, 98 are together in a half of one of them."""

RESAMPLES = 100
TAIL_SHARE = 0.02
"""Share of the most similar pairs. Resampling uses only these for the thresholds of the lower rates."""

SAME_QUANTILE = 0.75
"""Share of the pairs of pictures of one person with a cosine below that of ``same_cosine``."""


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means of a few pictures each: their person, and the indices of the pictures, (n, k)."""

    vectors: Vectors
    people: Indices
    of: Indices


@dataclass(frozen=True, slots=True, eq=False)
class Half:
    """Similarities of one half, (probes, templates), compared with the typical faces of the other half."""

    similarities: Vectors
    probes: Means
    templates: Means

    def different(self) -> Indices:
        different: Indices = self.probes.people[:, None] != self.templates.people[None]
        return different

    def same(self) -> Floats:
        """Return the similarities of one person's pairs. A picture of the template is never its probe."""
        shared = (self.probes.of[:, None, :, None] == self.templates.of[None, :, None, :]).any(axis=(2, 3))
        same: Floats = self.similarities[~self.different() & ~shared].astype(float)
        return same


def means(vectors: Vectors, people: Indices, count: int, random: np.random.Generator) -> Means:
    """Return the means of ``count`` pictures of each person who has at least that many."""
    chosen = []
    for person in np.unique(people):
        own = np.flatnonzero(people == person)
        if count == 1:
            chosen += own[:, None].tolist()
        elif len(own) >= count:
            subsets = min(MAX_SUBSETS, math.comb(len(own), count))
            chosen += [random.choice(own, count, replace=False).tolist() for _ in range(subsets)]
    of = np.array(chosen, np.intp).reshape(-1, count)
    sums = vectors[of].sum(axis=1)
    return Means(sums / np.linalg.norm(sums, axis=1, keepdims=True), people[of[:, 0]], of)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFaces:
    """The descriptors of n pictures, (n, d), of unit length: for a stream and for enrolment. ``people``: (n,)."""

    people: Indices
    stream: Vectors
    enrolment: Vectors


def halves(
    faces: LabelledFaces, pictures: int, probes: int, *, with_typical: bool, splits: int = SPLITS
) -> Iterator[Half]:
    random = np.random.default_rng(0)
    people = faces.people
    for _ in range(splits):
        side = random.permutation(people.max() + 1)[people] % 2
        for half in (0, 1):
            own, others = side == half, side != half
            crowd = typical(one_each(faces.enrolment[others], people[others])) if with_typical else faces.enrolment[:0]
            similarity = Similarity(crowd if len(crowd) else None, faces.stream.shape[1])
            seen = means(faces.stream[own], people[own], probes, random)
            known = means(faces.enrolment[own], people[own], pictures, random)
            yield Half(similarity.probes(seen.vectors) @ similarity.templates(known.vectors).T, seen, known)


def count_pairs(faces: LabelledFaces, pictures: int) -> int:
    """Return the number of pairs of different people in one split: a probe, and a person with so many pictures."""
    return sum(int(half.different().sum()) for half in halves(faces, pictures, 1, with_typical=False, splits=1))


def curve(sides: list[Half]) -> dict[str, Any]:
    different = np.concatenate([half.similarities[half.different()] for half in sides]).astype(float)
    same = np.concatenate([half.same() for half in sides])
    pairs = len(different) // SPLITS
    rates = [rate for rate in RATES if rate * pairs >= MIN_PAIRS]
    found = np.quantile(different, [1 - rate for rate in rates])
    low, high = interval(sides, rates, found)
    if sides[0].probes.of.shape[1] > 1:
        found = found + CAUTION * (high - found)
    return {
        "similarity": found.round(4).tolist(),
        "decades": [round(-math.log10(rate), 3) for rate in rates],
        "low": low.round(4).tolist(),
        "high": high.round(4).tolist(),
        "missed": [round(float((same < limit).mean()), 4) if len(same) else None for limit in found],
        "pairs": pairs,
        "people": len(np.unique(np.concatenate([half.templates.people for half in sides]))),
    }


def interval(sides: list[Half], rates: list[float], found: Floats) -> tuple[Floats, Floats]:
    """Return the limits of 95 % of the resamples. High rates are certain enough without resampling."""
    random = np.random.default_rng(0)
    cut = min(np.quantile(half.similarities, 1 - TAIL_SHARE) for half in sides)
    tails = []
    for half in sides:
        row, column = np.nonzero((half.similarities >= cut) & half.different())
        tails.append((half.similarities[row, column], half.probes.people[row], half.templates.people[column]))
    similarities, one, other = (np.concatenate(each) for each in zip(*tails, strict=True))
    # In small measurements the most similar pairs are all of one person each.
    if not len(similarities):
        return found, found
    order = np.argsort(-similarities)
    count = 1 + max(int(each.people.max()) for half in sides for each in (half.probes, half.templates))
    limits = []
    for _ in range(RESAMPLES):
        weight = np.bincount(random.integers(0, count, count), minlength=count).astype(float)
        total = sum(_weight(half, weight) for half in sides)
        reached = np.cumsum((weight[one] * weight[other])[order]) / total
        places = np.minimum(np.searchsorted(reached, rates), len(order) - 1)
        limits.append(np.where(np.array(rates) < TAIL_SHARE / 2, similarities[order][places], found))
    low, high = np.quantile(limits, [0.025, 0.975], axis=0)
    # A resample may have no pair at the lowest rates but the most similar one.
    return np.minimum(low, found), np.maximum(high, found)


def _weight(half: Half, weight: Floats) -> float:
    """Return the weight of all pairs of different people."""
    rows, columns = weight[half.probes.people], weight[half.templates.people]
    return float(rows @ half.different() @ columns)


def measure_curves(
    faces: LabelledFaces, *, with_typical: bool, probe_counts: Sequence[int] = PROBE_COUNTS
) -> dict[str, dict[str, Any]]:
    """Return the curves by number of pictures of the person and of the probe, as in ``curves.json``.

    ``with_typical``: use the similarity with typical faces.
    """
    curves: dict[str, dict[str, Any]] = {}
    for number in range(1, MAX_COUNTED_PICTURES + 1):
        curves[str(number)] = {}
        for probes in probe_counts:
            sides = [
                half for half in halves(faces, number, probes, with_typical=with_typical) if half.different().any()
            ]
            # At least one person must have that many pictures.
            if sides:
                curves[str(number)][str(probes)] = curve(sides)
    return rising(curves)


def rising(curves: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Make the curves rise with the number of pictures: a mean of more pictures is more similar to all faces.

    That holds for the pictures of the person, and for those of the probe.
    """
    result: dict[str, dict[str, Any]] = {}
    for key, by_probes in curves.items():
        result[key] = {}
        for probes, points in by_probes.items():
            of_fewer = [each[probes] for each in result.values() if probes in each]
            result[key][probes] = _raise_to(points, [*result[key].values(), *of_fewer])
    return result


def _raise_to(points: Mapping[str, Any], curves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a curve that is nowhere below the others, as far as they reach. Its interval contains it."""
    rows = zip_longest(points["similarity"], *(each["similarity"] for each in curves), fillvalue=-1.0)
    similarities = [max(row) for row, _ in zip(rows, points["similarity"], strict=False)]
    highest = [max(pair) for pair in zip(points["high"], similarities, strict=True)]
    return {**points, "similarity": similarities, "high": highest}


def same_cosine(faces: LabelledFaces) -> float | None:
    """Return the cosine that a quarter of the pairs of pictures of one person exceed, or None without such a pair.

    A high value is on the safe side: pictures that are less alike count as different.
    """
    cosines: list[float] = []
    for person in np.unique(faces.people):
        own = faces.stream[faces.people == person]
        cosines += (own @ own.T)[np.triu_indices(len(own), 1)].tolist()
    return round(float(np.quantile(cosines, SAME_QUANTILE)), 4) if cosines else None


def unit(vectors: Vectors) -> Vectors:
    lengths: Vectors = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors / lengths
