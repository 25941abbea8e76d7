"""The accuracy of verification: ``python -m benchmarks.accuracy --pictures DIR [--pairs FILE] [--json]``.

DIR has photographs by person, as ``<person>/*.jpg`` or with the names of LFW, ``<person>_<nnnn>.jpg``. At most six
pictures of a person are used. The face nearest to the centre of each is described by stock face_recognition and by the
gateway's engine. Stock uses its default settings and the distance of two descriptors. Facegate uses the similarity of a
descriptor for a stream and one for enrolment.

The false match rate (FMR) is the share of pairs of different people that pass. Each engine gets the threshold for the
same rate. The false non-match rate (FNMR) is the share of pairs of one person that do not pass, or in which the engine
does not find both faces. Its 95 % interval comes from resampling the people, with fixed thresholds.

FILE has pairs, ``a.jpg,b.jpg,1`` (one person) or ``a.jpg,b.jpg,0`` (two people) per line, with paths relative to DIR.
They are decided with default settings: stock with a tolerance of 0.6, facegate like face_match.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy and dlib

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.faces import Name, Vectors, describe, measure_ms_per_face
from gateway.config import DecisionSettings
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.labelled_pictures import labelled_pictures
from gateway.people.similarity import Similarity, typical_faces

RATES = {"0.01": 100, "0.001": 1_000, "0.0001": 10_000, "0.00001": 100_000}
"""False match rates as text, and as the number N of a rate of one in N pairs."""

MIN_PAIRS = 10
"""Smallest number of passing pairs of different people for a meaningful threshold."""

RESAMPLES = 200
MAX_TIMED_PICTURES = 60
"""Largest number of pictures whose time is measured. They are spread evenly over all pictures."""

STOCK_TOLERANCE = 0.6
"""Largest distance of a match in ``face_recognition.compare_faces``."""

BLOCK_PICTURES = 512

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The comparison of n pictures: the product of a row of ``probes`` and a row of ``templates``.

    ``shown``: converts this product to the engine's usual number.
    """

    found: Bools
    probes: Vectors
    templates: Vectors
    shown: Callable[[float], float]

    def first(self, count: int) -> Comparison:
        return replace(self, found=self.found[:count], probes=self.probes[:count], templates=self.templates[:count])


def by_similarity(probes: Vectors, templates: Vectors, found: Bools, similarity: Similarity) -> Comparison:
    """Compare by similarity, as the gateway does."""
    return Comparison(found, similarity.probes(probes), similarity.templates(templates), float)


def by_distance(descriptors: Vectors, found: Bools) -> Comparison:
    """Compare by distance. The product is the negative square of the distance: 2ab - aa - bb."""
    squares = (descriptors * descriptors).sum(axis=1, keepdims=True)
    ones = np.ones_like(squares)
    probes, templates = np.hstack([2 * descriptors, -squares, -ones]), np.hstack([descriptors, ones, squares])
    return Comparison(found, probes, templates, lambda square: math.sqrt(max(-square, 0)))


def genuine_pairs(people: Indices) -> Indices:
    """Return all pairs of one person's pictures, (n, 2): the enrolled one, then the probe. ``people`` is ascending."""
    each = groupby(range(len(people)), lambda picture: int(people[picture]))
    pairs = [pair for _, pictures in each for pair in combinations(pictures, 2)]
    return np.array(pairs, np.intp).reshape(-1, 2)


def similarities(compared: Comparison, pairs: Indices) -> Floats:
    """Return the similarity of each pair. Without both faces it is -inf, which is a miss for any threshold."""
    enrolled, probe = pairs.T
    alike = np.einsum("nd,nd->n", compared.templates[enrolled], compared.probes[probe])
    return np.where(compared.found[enrolled] & compared.found[probe], alike, -np.inf).astype(np.float32)


def impostors(compared: Comparison, people: Indices) -> Floats:
    """Return the similarities of all pairs of different people with both faces. The earlier picture is enrolled."""
    found = compared.found
    probes, templates, people = compared.probes[found], compared.templates[found], people[found]
    blocks = [np.empty(0, np.float32)]
    for start in range(0, len(people), BLOCK_PICTURES):
        enrolled = slice(start, start + BLOCK_PICTURES)
        alike = templates[enrolled] @ probes[start:].T
        blocks.append(alike[people[start:] > people[enrolled, None]])
    return np.concatenate(blocks)


def thresholds(impostors: Floats, one_in: Iterable[int]) -> list[float | None]:
    """Return by rate the similarity that this share of the pairs reaches; None if fewer than MIN_PAIRS pairs reach it.

    This changes the order of ``impostors``, because a hundred million are too many to sort or copy.
    """
    passing = [len(impostors) // each for each in one_in]
    places = [len(impostors) - count if count >= MIN_PAIRS else None for count in passing]
    wanted = [place for place in places if place is not None]
    if wanted:
        impostors.partition(wanted)
    return [None if place is None else float(impostors[place]) for place in places]


def interval(missed: Bools, people: Indices) -> list[float]:
    """Return the 95 % interval of the share of missed pairs, from resampling people."""
    _, person = np.unique(people, return_inverse=True)
    pairs, misses = np.bincount(person), np.bincount(person, missed)
    chances = np.full(len(pairs), 1 / len(pairs))
    drawn = np.random.default_rng(0).multinomial(len(pairs), chances, size=RESAMPLES)
    return [round(end, 5) for end in np.quantile(drawn @ misses / (drawn @ pairs), (0.025, 0.975)).tolist()]


def figures(compared: Comparison, people: Indices) -> dict[str, Any]:
    pairs = genuine_pairs(people)
    alike = similarities(compared, pairs)
    found = thresholds(impostors(compared, people), RATES.values())
    missed = {rate: None if limit is None else alike < limit for rate, limit in zip(RATES, found, strict=True)}
    return {
        "found": int(compared.found.sum()),
        "fnmr": {rate: None if m is None else round(float(m.mean()), 5) for rate, m in missed.items()},
        "interval": {rate: None if m is None else interval(m, people[pairs[:, 0]]) for rate, m in missed.items()},
        "threshold": {
            rate: None if limit is None else round(compared.shown(limit), 5)
            for rate, limit in zip(RATES, found, strict=True)
        },
    }


def fewer(stock: Mapping[str, float | None], facegate: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return by rate the share of stock's misses that facegate avoids; None for a rate at which stock misses none."""
    both = {rate: (stock[rate], facegate[rate]) for rate in RATES}
    return {rate: round(1 - b / a, 3) if a and b is not None else None for rate, (a, b) in both.items()}


def read_pairs(file: Path, folder: Path) -> list[tuple[Path, Path, bool]]:
    """Read a file of pairs. Raises ClickException with all errors in the file."""
    pairs, wrong = [], []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match [field.strip() for field in line.split(",")]:
            case [first, second, "0" | "1" as same]:
                pairs.append((folder / first, folder / second, same == "1"))
                missing = [path for path in pairs[-1][:2] if not path.is_file()]
                wrong += [f"line {number}: there is no file {path}" for path in missing]
            case [""]:
                pass
            case _:
                wrong.append(f"line {number} is neither a.jpg,b.jpg,1 nor a.jpg,b.jpg,0: {line}")
    if wrong or not pairs:
        raise click.ClickException("\n".join([f"{file}:", *(wrong or ["the file has no pairs"])]))
    return pairs


def decided(sides: Mapping[Name, Comparison], pairs: Indices, same: Bools) -> dict[str, Any]:
    """Decide ``pairs``, (n, 2): probe and other picture, with default settings. Without a face there is no match."""
    settings = DecisionSettings()
    decision = Decision(settings.max_false_identification, settings.max_false_match, measured_curves("facegate"))
    alike = {name: similarities(side, pairs[:, ::-1]) for name, side in sides.items()}
    match = {
        "stock": alike["stock"] >= -(STOCK_TOLERANCE**2),
        "facegate": np.array(
            [decision.score(each) >= decision.verification_threshold() for each in alike["facegate"].tolist()]
        ),
    }
    shares: dict[str, Any] = {
        name: {"tpr": _share(match[name][same]), "fmr": _share(match[name][~same])} for name in sides
    }
    return {"pairs": len(same), "same": int(same.sum()), "different": int((~same).sum())} | shares


def measure(folder: Path, file: Path | None, plain: bool = False) -> dict[str, Any]:
    pictures = labelled_pictures(folder)
    names, people = np.unique([each.person for each in pictures], return_inverse=True)
    genuine = len(genuine_pairs(people))
    if len(names) < 2 or not genuine:
        raise click.ClickException(f"{folder} must have at least two people, and two pictures of one of them.")
    pairs = read_pairs(file, folder) if file else []
    named = [path for first, second, _ in pairs for path in (first, second)]
    paths = list(dict.fromkeys([*(each.path for each in pictures), *named]))
    ms = measure_ms_per_face(paths[: len(pictures) : math.ceil(len(pictures) / MAX_TIMED_PICTURES)])
    stock, facegate = describe(paths, "stock"), describe(paths, "facegate")
    similarity = Similarity(None if plain else typical_faces())
    sides: dict[Name, Comparison] = {
        "stock": by_distance(stock.stream, stock.found),
        "facegate": by_similarity(facegate.stream, facegate.enrolment, facegate.found, similarity),
    }
    each = {name: figures(side.first(len(pictures)), people) for name, side in sides.items()}
    result: dict[str, Any] = {
        "pictures": len(pictures),
        "people": len(names),
        "genuine_pairs": genuine,
        "impostor_pairs": math.comb(len(pictures), 2) - genuine,
        "stock": {**each["stock"], "ms_per_face": ms["stock"]},
        "facegate": {**each["facegate"], "ms_per_face": ms["facegate"]},
        "fewer_misses": fewer(each["stock"]["fnmr"], each["facegate"]["fnmr"]),
    }
    if pairs:
        place = {path: number for number, path in enumerate(paths)}
        both = np.array([(place[first], place[second]) for first, second, _ in pairs])
        # face_match describes both pictures as for enrolment.
        ways = facegate.enrolment, facegate.enrolment
        sides["facegate"] = by_similarity(*ways, facegate.found, similarity)
        result["pairs"] = decided(sides, both, np.array([same for *_, same in pairs]))
    return result


def _share(which: Bools) -> float | None:
    return round(float(which.mean()), 5) if len(which) else None


def _table(result: Mapping[str, Any]) -> Table:
    table = Table("false match rate", "misses, stock", "misses, Facegate", "fewer", title="Pairs of one person missed")
    for rate in RATES:
        cells = [_percent(result[name]["fnmr"][rate], result[name]["interval"][rate]) for name in ("stock", "facegate")]
        table.add_row(rate, *cells, _percent(result["fewer_misses"][rate]))
    table.add_section()
    table.add_row("faces found", *(str(result[name]["found"]) for name in ("stock", "facegate")))
    table.add_row("ms a face", *(str(result[name]["ms_per_face"]) for name in ("stock", "facegate")))
    return table


def _percent(share: float | None, interval: list[float] | None = None) -> str:
    if share is None:
        return "–"  # noqa: RUF001
    about = f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else ""
    return f"{100 * share:.1f} %{about}"


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder of photographs by person.",
)  # fmt: skip
@click.option(
    "--pairs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of pairs to decide with default settings.",
)
@click.option("--plain", is_flag=True, help="Use the plain cosine for facegate, without typical faces.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(pictures: Path, pairs: Path | None, plain: bool, as_json: bool) -> None:
    result = measure(pictures, pairs, plain)
    scarce = [rate for rate, share in result["facegate"]["fnmr"].items() if share is None]
    if scarce:
        click.echo(f"No result for {', '.join(scarce)}: these rates are fewer than {MIN_PAIRS} pairs.", err=True)
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo("{pictures} pictures of {people} people: {genuine_pairs} and {impostor_pairs} pairs".format(**result))
    Console().print(_table(result))
    if "pairs" in result:
        click.echo("By default, of {pairs} pairs in the file, {same} of one person:".format(**result["pairs"]))
        for name in ("stock", "facegate"):
            shares = result["pairs"][name]
            click.echo(f"{name}: {_percent(shares['tpr'])} of them match, and {_percent(shares['fmr'])} of the others")


if __name__ == "__main__":
    main()
