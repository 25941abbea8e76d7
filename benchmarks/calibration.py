"""The measurement of the gateway's curves: ``python -m benchmarks.calibration --pictures DIR [--write]``.

DIR is as for ``benchmarks.accuracy``. Pictures without a found face are left out. A person is the mean of one to five
pictures, described for enrolment. A probe is the mean of one or three other pictures, described for a stream. The
result, over all pairs of different people, is the similarity that is reached at each false match rate, if at least ten
pairs reach it. Its interval comes from resampling people, because pairs of one person are not independent. The result
also has the share of pairs of one person below each similarity. With dlib-hog both descriptors are the one chip of
stock, and the similarity is the plain cosine.

The similarity of facegate also depends on how much either face resembles typical faces
(``gateway/people/similarity.py``). Typical faces are the means of clusters of people, with one picture of each, found
by spherical k-means. Clusters of few people are left out, so that no person's descriptor is among them. The people are
split in halves, and each half is compared with the typical faces of the other half. ``--write`` replaces the gateway's
typical faces by those of all people, and its curves by the measured ones (``gateway/people/curves.json``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy import Floats, Indices
from benchmarks.faces import DescribedPictures, Vectors, describe, labelled_pictures
from gateway.people.curves import CURVES_FILE
from gateway.people.gallery import MAX_COUNTED_PICTURES
from gateway.people.similarity import TYPICAL_FACES_FILE, Similarity

RATES = (0.5, 0.1, 0.01, 0.001, 1e-4, 1e-5)

MIN_PAIRS = 10
"""Smallest number of pairs above a threshold. A threshold with fewer pairs would depend on chance."""

PROBE_COUNTS = (1, 3)
MAX_SUBSETS = 4
"""Largest number of templates of a person, from different subsets of the pictures. More would add little."""

RESAMPLES = 100
TAIL_SHARE = 0.02
"""Share of the most similar pairs. Resampling uses only these for the thresholds of the lower rates."""

CLUSTERS = 32
MIN_CLUSTER_PEOPLE = 5
"""Smallest number of people in a cluster, so that its mean is no single person's face."""

CLUSTER_ROUNDS = 20


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


def typical(faces: Vectors) -> Vectors:
    """Return the means of the clusters, of unit length."""
    random = np.random.default_rng(0)
    means = faces[random.choice(len(faces), min(CLUSTERS, len(faces)), replace=False)]
    for _ in range(CLUSTER_ROUNDS):
        nearest = (faces @ means.T).argmax(axis=1)
        sums = np.stack([faces[nearest == n].sum(axis=0) for n in range(len(means))])
        means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    people = np.bincount((faces @ means.T).argmax(axis=1), minlength=len(means))
    return means[people >= MIN_CLUSTER_PEOPLE]


def one_each(vectors: Vectors, people: Indices) -> Vectors:
    """Return the first picture of each person."""
    _, first = np.unique(people, return_index=True)
    return vectors[first]


def halves(
    described: DescribedPictures, people: Indices, is_facegate: bool, pictures: int, probes: int
) -> Iterator[Half]:
    random = np.random.default_rng(0)
    side = random.permutation(people.max() + 1)[people] % 2
    for half in (0, 1):
        own, others = side == half, side != half
        faces = typical(one_each(described.enrolment[others], people[others])) if is_facegate else None
        similarity = Similarity(faces if faces is not None and len(faces) else None, described.stream.shape[1])
        seen = means(described.stream[own], people[own], probes, random)
        known = means(described.enrolment[own], people[own], pictures, random)
        yield Half(similarity.probes(seen.vectors) @ similarity.templates(known.vectors).T, seen, known)


def curve(sides: list[Half]) -> dict[str, Any]:
    different = np.concatenate([half.similarities[half.different()] for half in sides]).astype(float)
    same = np.concatenate([half.same() for half in sides])
    rates = [rate for rate in RATES if rate * len(different) >= MIN_PAIRS]
    found = np.quantile(different, [1 - rate for rate in rates])
    low, high = interval(sides, rates, found)
    return {
        "similarity": found.round(4).tolist(),
        "decades": [round(-math.log10(rate), 3) for rate in rates],
        "low": low.round(4).tolist(),
        "high": high.round(4).tolist(),
        "missed": [round(float((same < limit).mean()), 4) if len(same) else None for limit in found],
        "pairs": len(different),
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
    return low, high


def _weight(half: Half, weight: Floats) -> float:
    """Return the weight of all pairs of different people."""
    rows, columns = weight[half.probes.people], weight[half.templates.people]
    return float(rows @ half.different() @ columns)


def measure(folder: Path, engine: str) -> dict[str, Any]:
    pictures = labelled_pictures(folder)
    if not pictures:
        raise click.ClickException(f"{folder} has no pictures of people.")
    is_facegate = engine == "facegate"
    everything = describe([each.path for each in pictures], "facegate" if is_facegate else "stock")
    found = everything.found
    described = DescribedPictures(found[found], unit(everything.stream[found]), unit(everything.enrolment[found]))
    names, people = np.unique(
        [each.person for each, seen in zip(pictures, found, strict=True) if seen], return_inverse=True
    )
    curves: dict[str, dict[str, Any]] = {}
    for number in range(1, MAX_COUNTED_PICTURES + 1):
        curves[str(number)] = {}
        for probes in PROBE_COUNTS:
            sides = [half for half in halves(described, people, is_facegate, number, probes) if half.different().any()]
            # At least one person must have that many pictures.
            if sides:
                curves[str(number)][str(probes)] = curve(sides)
    return {
        "pictures": int(found.sum()),
        "people": len(names),
        "curves": rising(curves),
        "typical": typical(one_each(described.enrolment, people)) if is_facegate else None,
    }


def rising(curves: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Make the curves rise with the number of pictures: a mean of more pictures is more similar to all faces."""
    result = {key: dict(each) for key, each in curves.items()}
    for probes in map(str, PROBE_COUNTS):
        least: list[float] = []
        for key in [key for key, each in result.items() if probes in each]:
            points = dict(result[key][probes])
            least += [-1.0] * (len(points["similarity"]) - len(least))
            points["similarity"] = [max(pair) for pair in zip(points["similarity"], least, strict=False)]
            least[: len(points["similarity"])] = points["similarity"]
            result[key][probes] = points
    return result


def unit(vectors: Vectors) -> Vectors:
    lengths: Vectors = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors / lengths


def write(result: Mapping[str, Any], engine: str) -> None:
    faces = result["typical"]
    if not all(len(each) == len(PROBE_COUNTS) for each in result["curves"].values()):
        raise click.ClickException("the pictures have too few people with many pictures for the curves.")
    if engine == "facegate" and not len(faces):
        raise click.ClickException("the pictures have too few people for typical faces.")
    table = json.loads(CURVES_FILE.read_text()) if CURVES_FILE.exists() else {"measured": {}, "curves": {}}
    name = "facegate" if engine == "facegate" else "stock"
    table["measured"][name] = (
        f"python -m benchmarks.calibration --engine {engine} on {result['pictures']} press photographs of "
        f"{result['people']} people (LFW, grey, 250 x 250, at most six of a person)"
    )
    table["curves"][name] = result["curves"]
    CURVES_FILE.write_text(json.dumps(table, indent=1) + "\n")
    if engine == "facegate":
        np.save(TYPICAL_FACES_FILE, faces.astype(np.float32))


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder of photographs by person.",
)  # fmt: skip
@click.option("--engine", type=click.Choice(["facegate", "dlib-hog"]), default="facegate", show_default=True)
@click.option("--write", "writes", is_flag=True, help="Replace the gateway's curves, and its typical faces.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(pictures: Path, engine: str, writes: bool, as_json: bool) -> None:
    result = measure(pictures, engine)
    if writes:
        write(result, engine)
    shown = {name: value for name, value in result.items() if name != "typical"}
    if as_json:
        click.echo(json.dumps(shown))
        return
    table = Table("pictures", "probes", "false match rate", "similarity", "95 of 100", "same person missed", "pairs")
    for number, by_probes in shown["curves"].items():
        for probes, points in by_probes.items():
            rows = zip(*(points[name] for name in ("decades", "similarity", "low", "high", "missed")), strict=True)
            for decades, similarity, low, high, missed in rows:
                share = "-" if missed is None else f"{missed:.1%}"
                cells = (f"{10**-decades:.2g}", f"{similarity:.4f}", f"{low:.4f} to {high:.4f}", share)
                table.add_row(number, probes, *cells, f"{points['pairs']:,}")
    Console().print(table)
    click.echo(f"{shown['pictures']} pictures of {shown['people']} people")


if __name__ == "__main__":
    main()
