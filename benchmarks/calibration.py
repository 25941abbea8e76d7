"""The curve of impostors behind ``gateway/people/decision.py``: ``python -m benchmarks.calibration --pictures DIR``.

DIR is as for ``benchmarks.accuracy``. Of all pairs of different people: the similarity that is reached at each false
match rate, and the share of pairs of one person that stays below it. Pictures in which no face was found are left out.
With our engine a descriptor as in a stream is compared with one as enrolled, unless told otherwise; with dlib-hog both
are stock's one chip, and the similarity is the plain cosine.

Ours also takes into account how much either face resembles the typical ones (``gateway/people/similarity.py``). These
are the means of clusters of people, one picture of each, found by spherical k-means; clusters of few people are left
out, so that nobody's descriptor is among them. The people are split in halves, and each half is judged by the typical
faces of the other. With ``--write`` those of all people replace the gateway's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy import Floats, Indices, by_similarity, genuine_pairs, impostors, similarities, thresholds
from benchmarks.faces import Described, Vectors, describe, labelled
from gateway.model import Purpose
from gateway.people.similarity import TYPICAL, Similarity

RATES = {"0.5": 2, "0.1": 10, "0.01": 100, "0.001": 1_000, "0.0001": 10_000, "0.00001": 100_000}
"""False match rates as they are written, and one in how many pairs that is."""

CLUSTERS = 32
FEWEST = 5
"""People in a cluster, for its mean to be a typical face rather than somebody's."""

ROUNDS = 20
PURPOSES = click.Choice(get_args(Purpose))


def typical(faces: Vectors) -> Vectors:
    """The means of the clusters, of unit length."""
    random = np.random.default_rng(0)
    means = faces[random.choice(len(faces), min(CLUSTERS, len(faces)), replace=False)]
    for _ in range(ROUNDS):
        nearest = (faces @ means.T).argmax(axis=1)
        sums = np.stack([faces[nearest == n].sum(axis=0) for n in range(len(means))])
        means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    people = np.bincount((faces @ means.T).argmax(axis=1), minlength=len(means))
    return means[people >= FEWEST]


def one_each(described: Described, people: Indices) -> Vectors:
    """The first picture of each person in which a face was found, as enrolled."""
    _, first = np.unique(people[described.found], return_index=True)
    return described.enrolment[described.found][first]


def part(described: Described, chosen: Indices) -> Described:
    return Described(described.found[chosen], described.stream[chosen], described.enrolment[chosen])


def measure(folder: Path, engine: str, probe: Purpose, template: Purpose, write: bool) -> dict[str, Any]:
    if write and engine != "facegate":
        raise click.ClickException("only our own engine has typical faces to write.")
    pictures = labelled(folder)
    if not pictures:
        raise click.ClickException(f"{folder} holds no pictures of people.")
    names, people = np.unique([each.person for each in pictures], return_inverse=True)
    described = describe([each.path for each in pictures], "facegate" if engine == "facegate" else "stock")
    if engine == "dlib-hog":
        lengths = np.maximum(np.linalg.norm(described.stream, axis=1, keepdims=True), 1e-9)
        described = Described(described.found, described.stream / lengths, described.enrolment / lengths)
    genuine, strangers = [], []
    for half in (0, 1):
        own, others = np.flatnonzero(people % 2 == half), np.flatnonzero(people % 2 != half)
        faces = (
            typical(one_each(part(described, others), people[others]))
            if engine == "facegate"
            else np.empty((0, 128), np.float32)
        )
        judged = part(described, own)
        ways = getattr(judged, probe), getattr(judged, template)
        compared = by_similarity(*ways, judged.found, Similarity(faces if len(faces) else None))
        alike = similarities(compared, genuine_pairs(people[own]))
        genuine.append(alike[np.isfinite(alike)])
        strangers.append(impostors(compared, people[own]))
    if write:
        faces = typical(one_each(described, people)).astype(np.float32)
        if not len(faces):
            raise click.ClickException(f"{folder} shows too few people for typical faces.")
        np.save(TYPICAL, faces)
    same, different = np.concatenate(genuine), np.concatenate(strangers)
    limits = zip(RATES, thresholds(different, RATES.values()), strict=True)
    return {
        "pictures": len(pictures),
        "found": int(described.found.sum()),
        "people": len(names),
        "impostor_pairs": len(different),
        "genuine_pairs": len(same),
        "curve": {rate: None if limit is None else _point(limit, same) for rate, limit in limits},
    }


def _point(limit: float, genuine: Floats) -> dict[str, float]:
    return {"similarity": round(limit, 4), "fnmr": round(float((genuine < limit).mean()), 4)}


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="The folder of photographs by person.",
)  # fmt: skip
@click.option("--engine", type=click.Choice(["facegate", "dlib-hog"]), default="facegate", show_default=True)
@click.option("--probe", type=PURPOSES, default="stream", show_default=True, help="How our engine describes a face.")
@click.option("--template", type=PURPOSES, default="enrolment", show_default=True, help="And that which is known.")
@click.option("--write", is_flag=True, help="Replace the gateway's typical faces.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def main(pictures: Path, engine: str, probe: Purpose, template: Purpose, write: bool, as_json: bool) -> None:
    result = measure(pictures, engine, probe, template, write)
    if as_json:
        click.echo(json.dumps(result))
        return
    table = Table("false match rate", "similarity", "same person missed")
    for rate, point in result["curve"].items():
        table.add_row(rate, *(["-", "-"] if point is None else [str(point["similarity"]), f"{point['fnmr']:.1%}"]))
    Console().print(table)
    click.echo(", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in result.items() if name != "curve"))


if __name__ == "__main__":
    main()
