"""Who is mistaken for whom: ``python -m benchmarks.accuracy --pictures DIR [--pairs FILE] [--json]``.

DIR holds photographs by person, as ``<person>/*.jpg`` or with the names of LFW, ``<person>_<nnnn>.jpg``; six of a
person count at the most. The face nearest the middle of each is described by stock face_recognition (its defaults,
the distance of two descriptors) and by our engine (the similarity of a descriptor as in a stream and one as enrolled).

The false match rate (FMR) is the share of pairs of different people that pass: each engine has the threshold that
makes it so. The false non-match rate (FNMR) is the share of pairs of one person that then do not pass, or of which
the engine does not find both faces; its 95 % interval comes from drawing the people anew, thresholds as they are.

FILE holds pairs, ``a.jpg,b.jpg,1`` (one person) or ``a.jpg,b.jpg,0`` (two) on each line, with paths from DIR on. They
are decided as a user gets it by default: with stock by the tolerance of 0.6, with ours as face_match answers.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # read when numpy and dlib are loaded

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

from benchmarks.faces import Name, Vectors, describe, labelled, ms_per_face
from gateway.config import DecisionSettings
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.similarity import Similarity, typical_faces

RATES = {"0.01": 100, "0.001": 1_000, "0.0001": 10_000, "0.00001": 100_000}
"""False match rates as they are written, and one in how many pairs that is."""

FEWEST = 10
"""Pairs of different people that must pass, for a threshold to be worth anything."""

RESAMPLES = 200
TIMED = 60
"""Pictures, evenly spread, that are timed."""

TOLERANCE = 0.6
"""Distance up to which ``face_recognition.compare_faces`` takes two faces for one person's."""

BLOCK = 512

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """n pictures: how alike two of them are is the product of a row of ``probes`` and a row of ``templates``.

    ``shown``: makes of that product what people know.
    """

    found: Bools
    probes: Vectors
    templates: Vectors
    shown: Callable[[float], float]

    def first(self, count: int) -> Compared:
        return replace(self, found=self.found[:count], probes=self.probes[:count], templates=self.templates[:count])


def by_similarity(probes: Vectors, templates: Vectors, found: Bools, similarity: Similarity) -> Compared:
    """As the gateway compares."""
    return Compared(found, similarity.probes(probes), similarity.templates(templates), float)


def by_distance(descriptors: Vectors, found: Bools) -> Compared:
    """The product is the distance's square, negative: 2ab - aa - bb."""
    squares = (descriptors * descriptors).sum(axis=1, keepdims=True)
    ones = np.ones_like(squares)
    probes, templates = np.hstack([2 * descriptors, -squares, -ones]), np.hstack([descriptors, ones, squares])
    return Compared(found, probes, templates, lambda square: math.sqrt(max(-square, 0)))


def genuine_pairs(people: Indices) -> Indices:
    """All pairs of one person's pictures, (n, 2): the earlier is enrolled, the later the probe. ``people`` ascends."""
    each = groupby(range(len(people)), lambda picture: int(people[picture]))
    pairs = [pair for _, pictures in each for pair in combinations(pictures, 2)]
    return np.array(pairs, np.intp).reshape(-1, 2)


def similarities(compared: Compared, pairs: Indices) -> Floats:
    """-inf where a face was not found: a miss, whatever the threshold."""
    enrolled, probe = pairs.T
    alike = np.einsum("nd,nd->n", compared.templates[enrolled], compared.probes[probe])
    return np.where(compared.found[enrolled] & compared.found[probe], alike, -np.inf).astype(np.float32)


def impostors(compared: Compared, people: Indices) -> Floats:
    """The similarities of all pairs of different people, the earlier one enrolled, of which both faces were found."""
    found = compared.found
    probes, templates, people = compared.probes[found], compared.templates[found], people[found]
    blocks = [np.empty(0, np.float32)]
    for start in range(0, len(people), BLOCK):
        enrolled = slice(start, start + BLOCK)
        alike = templates[enrolled] @ probes[start:].T
        blocks.append(alike[people[start:] > people[enrolled, None]])
    return np.concatenate(blocks)


def thresholds(impostors: Floats, one_in: Iterable[int]) -> list[float | None]:
    """For each rate the similarity that one in so many pairs reaches; None where these are fewer than FEWEST.

    Leaves ``impostors`` in another order: there may be a hundred million, too many to sort or to copy.
    """
    passing = [len(impostors) // each for each in one_in]
    places = [len(impostors) - count if count >= FEWEST else None for count in passing]
    wanted = [place for place in places if place is not None]
    if wanted:
        impostors.partition(wanted)
    return [None if place is None else float(impostors[place]) for place in places]


def interval(missed: Bools, people: Indices) -> list[float]:
    """Of the share of pairs missed, 95 %. People are drawn, not pairs, since those of one person are alike."""
    _, person = np.unique(people, return_inverse=True)
    pairs, misses = np.bincount(person), np.bincount(person, missed)
    chances = np.full(len(pairs), 1 / len(pairs))
    drawn = np.random.default_rng(0).multinomial(len(pairs), chances, size=RESAMPLES)
    return [round(end, 5) for end in np.quantile(drawn @ misses / (drawn @ pairs), (0.025, 0.975)).tolist()]


def figures(compared: Compared, people: Indices) -> dict[str, Any]:
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


def fewer(stock: Mapping[str, float | None], ours: Mapping[str, float | None]) -> dict[str, float | None]:
    """By which share our misses are fewer, at each rate at which there are any to compare."""
    both = {rate: (stock[rate], ours[rate]) for rate in RATES}
    return {rate: round(1 - b / a, 3) if a and b is not None else None for rate, (a, b) in both.items()}


def read_pairs(file: Path, folder: Path) -> list[tuple[Path, Path, bool]]:
    """Raises ClickException, with all that is wrong."""
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
        raise click.ClickException("\n".join([f"{file}:", *(wrong or ["there are no pairs in it"])]))
    return pairs


def decided(sides: Mapping[Name, Compared], pairs: Indices, same: Bools) -> dict[str, Any]:
    """By the defaults of each: of ``pairs``, (n, 2), the first is the probe. A face not found is nobody's."""
    settings = DecisionSettings()
    decision = Decision(settings.max_false_identification, settings.max_false_match, measured_curves("facegate"))
    alike = {name: similarities(side, pairs[:, ::-1]) for name, side in sides.items()}
    match = {
        "stock": alike["stock"] >= -(TOLERANCE**2),
        "facegate": np.array(
            [decision.score(each) >= decision.verification_threshold() for each in alike["facegate"].tolist()]
        ),
    }
    shares: dict[str, Any] = {
        name: {"tpr": _share(match[name][same]), "fmr": _share(match[name][~same])} for name in sides
    }
    return {"pairs": len(same), "same": int(same.sum()), "different": int((~same).sum())} | shares


def measure(folder: Path, file: Path | None, plain: bool = False) -> dict[str, Any]:
    pictures = labelled(folder)
    names, people = np.unique([each.person for each in pictures], return_inverse=True)
    genuine = len(genuine_pairs(people))
    if len(names) < 2 or not genuine:
        raise click.ClickException(f"{folder} does not hold two people, and of one of them two pictures.")
    pairs = read_pairs(file, folder) if file else []
    named = [path for first, second, _ in pairs for path in (first, second)]
    paths = list(dict.fromkeys([*(each.path for each in pictures), *named]))
    ms = ms_per_face(paths[: len(pictures) : math.ceil(len(pictures) / TIMED)])
    stock, ours = describe(paths, "stock"), describe(paths, "facegate")
    similarity = Similarity(None if plain else typical_faces())
    sides: dict[Name, Compared] = {
        "stock": by_distance(stock.stream, stock.found),
        "facegate": by_similarity(ours.stream, ours.enrolment, ours.found, similarity),
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
        ways = ours.enrolment, ours.enrolment  # face_match takes its time
        sides["facegate"] = by_similarity(*ways, ours.found, similarity)
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
    help="The folder of photographs by person.",
)  # fmt: skip
@click.option(
    "--pairs", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Pairs to decide by the defaults."
)
@click.option("--plain", is_flag=True, help="Ours by the plain cosine, without the typical faces.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def main(pictures: Path, pairs: Path | None, plain: bool, as_json: bool) -> None:
    result = measure(pictures, pairs, plain)
    scarce = [rate for rate, share in result["facegate"]["fnmr"].items() if share is None]
    if scarce:
        click.echo(f"Nothing is said of {', '.join(scarce)}: that is fewer than {FEWEST} of the pairs.", err=True)
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
