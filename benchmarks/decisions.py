"""The accuracy of identification: ``python -m benchmarks.decisions --pictures DIR [--galleries N] [--json]``.

DIR is as for ``benchmarks.accuracy``. Some of its people are enrolled with one or three pictures each, and all others
are strangers: open-set identification, as at a front door. FPIR is the share of strangers' pictures that get a name.
FNIR is the share of other pictures of enrolled people that do not get their name: they get none or another's, or no
face was found.

Three methods decide about the same pictures. Stock takes the person of the nearest picture, up to a distance of 0.6.
Stock at target uses the distance at which one stranger in a hundred gets a name, measured with other people. For that
the folder is split in halves, galleries are drawn within them, and each half uses the distance measured in the other
half. Galleries too large for a half are drawn from all people, and use their own distance. Facegate is the gateway with
default settings: thresholds from the measured curves and the number of enrolled people, the mean of a person's
pictures, and no name if two people pass.

If the curves were measured on DIR (see ``gateway/people/curves.json``), facegate has an advantage. It is limited: the
curves were measured without galleries, and each half was compared with the typical faces of the other half.

Averages hide single people, so the stranger with the most names is reported too. The 95 % intervals come from
resampling galleries and people.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy and dlib

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.accuracy import STOCK_TOLERANCE, Bools, Floats, Indices, by_distance
from benchmarks.faces import DescribedPictures, describe
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.labelled_pictures import labelled_pictures
from gateway.people.similarity import Similarity, typical_faces

GALLERY_SIZES = (10, 100, 500)
PICTURES = (1, 3)
TARGET_FPIR = 0.01
"""Target FPIR, the gateway's default (config.DecisionSettings)."""

MIN_STRANGERS = 10
"""Smallest number of strangers in each half, and of pictures of a stranger who may be reported as the worst one."""

MAX_GALLERY_SHARE = 0.9
"""Largest share of the people with enough pictures in a gallery. There is only one gallery of all of them."""

RESAMPLES = 500


@dataclass(frozen=True, slots=True, eq=False)
class Folder:
    """All n pictures of a folder, described by both engines.

    ``people``: the index of the person on each picture, from 0, in ascending order.
    """

    people: Indices
    stock: DescribedPictures
    facegate: DescribedPictures

    def enrollable(self) -> list[Indices]:
        """Return the pictures of each person in which both engines find a face. Others could not be enrolled."""
        usable = self.stock.found & self.facegate.found
        return [np.flatnonzero((self.people == person) & usable) for person in range(self.people.max() + 1)]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnGallery:
    """A random gallery: enrolled pictures, (people, pictures), and probes of enrolled people and of strangers."""

    enrolled: Indices
    known: Indices
    strangers: Indices


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers to probes: the most similar person in the gallery, and the similarity of the best and the second."""

    person: Indices
    best: Floats
    second: Floats

    def named(self, limit: float, ambiguous: bool) -> Bools:
        """Return a mask of the probes that get a name. ``ambiguous``: a probe gets no name if two people pass."""
        passing: Bools = (self.best >= limit) & ~(ambiguous & (self.second >= limit))
        return passing


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Counts of pictures, (galleries, people): all probes, and those with an event."""

    happened: Floats
    seen: Floats

    def share(self) -> float:
        return _rounded(self.happened.sum() / max(self.seen.sum(), 1))

    def interval(self) -> list[float]:
        """Return the 95 % interval of the share, from resampling galleries and people."""
        random = np.random.default_rng(0)
        galleries, people = (_drawn(count, random) for count in self.seen.shape)
        happened, seen = (((galleries @ each) * people).sum(axis=1) for each in (self.happened, self.seen))
        return [_rounded(end) for end in np.quantile(happened / np.maximum(seen, 1), (0.025, 0.975))]

    def spread(self) -> list[float]:
        """Return the range of the share in nine of ten galleries."""
        shares = self.happened.sum(axis=1) / np.maximum(self.seen.sum(axis=1), 1)
        return [_rounded(end) for end in np.quantile(shares, (0.05, 0.95))]

    def worst(self) -> float | None:
        """Return the highest share of a person with enough pictures."""
        happened, seen = self.happened.sum(axis=0), self.seen.sum(axis=0)
        often = seen >= MIN_STRANGERS
        return _rounded((happened[often] / seen[often]).max()) if often.any() else None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The errors of a method: strangers with a name, enrolled people without their name, and those with another's.

    ``mistakes``: (n, 3): gallery, stranger, named person. ``members``: the people in each gallery, (galleries, people).
    """

    fpir: Shares
    fnir: Shares
    another: Shares
    mistakes: Indices
    members: Floats

    def fpir_interval(self) -> list[float]:
        """Return the 95 % interval of FPIR. People are resampled too, because one person may be in many galleries."""
        random = np.random.default_rng(0)
        galleries, people = (_drawn(count, random) for count in self.members.shape)
        gallery, stranger, name = self.mistakes.T
        named = (galleries[:, gallery] * people[:, stranger] * people[:, name]).sum(axis=1)
        crowd = people @ (self.members / self.members.sum(axis=1, keepdims=True)).T
        seen = (galleries * crowd * (people @ self.fpir.seen.T)).sum(axis=1)
        return [_rounded(end) for end in np.quantile(named / np.maximum(seen, 1), (0.025, 0.975))]

    def shares(self) -> dict[str, float]:
        return {"fpir": self.fpir.share(), "fnir": self.fnir.share()}


class EngineResults:
    """The answers of both engines for the same galleries. Each gallery belongs to one half of the people."""

    def __init__(self, folder: Folder, draws: Sequence[DrawnGallery], halves: Sequence[int]) -> None:
        self._people = folder.people
        self._draws = draws
        self._halves = halves
        self.stock = list(by_stock(folder, draws))
        self.facegate = list(by_facegate(folder, draws))

    def outcome(self, answers: Sequence[Answers], limits: Sequence[float], ambiguous: bool) -> Outcome:
        """Return the errors. ``limits``: the threshold of each gallery."""
        count = self._people.max() + 1
        tallies, mistakes = np.zeros((6, len(self._draws), count), np.float32), []
        for number, (draw, each, limit) in enumerate(zip(self._draws, answers, limits, strict=True)):
            named, known = each.named(limit, ambiguous), len(draw.known)
            people, strangers = self._people[draw.known], self._people[draw.strangers]
            right = each.person[:known] == people
            for place, who, which in (
                (0, strangers, named[known:]),
                (1, strangers, None),
                (2, people, ~(named[:known] & right)),
                (3, people, named[:known] & ~right),
                (4, people, None),
                (5, self._people[draw.enrolled[:, 0]], None),
            ):
                tallies[place, number] = np.bincount(who, which, count)
            names = each.person[known:][named[known:]]
            mistakes.append(np.column_stack([np.full(len(names), number), strangers[named[known:]], names]))
        stranger, strangers, missed, another, known, members = tallies
        return Outcome(
            Shares(stranger, strangers),
            Shares(missed, known),
            Shares(another, known),
            np.concatenate(mistakes),
            members,
        )

    def by_tolerance(self) -> Outcome:
        return self.outcome(self.stock, [-(STOCK_TOLERANCE**2)] * len(self._draws), ambiguous=False)

    def at_target(self) -> Outcome:
        """Return the errors with the distance measured in the other half, or in all people for large galleries."""
        needed = [self._needed(half) for half in sorted(set(self._halves))]
        return self.outcome(self.stock, [needed[half - 1] for half in self._halves], ambiguous=False)

    def by_policy(self, decision: Decision) -> Outcome:
        """Return the errors with the gateway's decision. All people in a gallery have the same number of pictures."""
        limits = [float(decision.similarity_limits(len(draw.enrolled))[draw.enrolled.shape[1]]) for draw in self._draws]
        return self.outcome(self.facegate, limits, ambiguous=True)

    def _needed(self, half: int) -> float:
        """Return the threshold with the target FPIR in this half."""
        own = [number for number, each in enumerate(self._halves) if each == half]
        best = np.concatenate([self.stock[number].best[len(self._draws[number].known) :] for number in own])
        return at_most(best, TARGET_FPIR)


def at_most(best: Floats, share: float) -> float:
    """Return the lowest threshold that at most this share of the similarities passes."""
    first_out = np.sort(best)[::-1][int(share * len(best))]
    return float(np.nextafter(first_out, np.float32(np.inf)))


def split(folder: Folder) -> list[Indices]:
    """Split the people in halves with a similar number of pictures."""
    random = np.random.default_rng(0)
    order = random.permutation(folder.people.max() + 1)
    pictures = np.bincount(folder.people)[order]
    order = order[np.argsort(-pictures, kind="stable")]
    return [np.sort(order[half::2]) for half in (0, 1)]


def possible(half: Indices, enrollable: Sequence[Indices], pictures: int) -> int:
    """Return the size of the largest gallery that leaves enough strangers, and allows different galleries."""
    people = sum(len(enrollable[person]) >= pictures for person in half.tolist())
    return min(int(MAX_GALLERY_SHARE * people), len(half) - MIN_STRANGERS)


def sizes(wanted: Iterable[int], most: int) -> list[int]:
    """Return the wanted sizes, limited to the largest possible one."""
    return sorted({min(size, most) for size in wanted if most > 0})


def draw(
    folder: Folder, half: Indices, enrollable: Sequence[Indices], size: int, pictures: int, random: np.random.Generator
) -> DrawnGallery:
    eligible = [person for person in half.tolist() if len(enrollable[person]) >= pictures]
    chosen = random.choice(eligible, size, replace=False)
    enrolled = np.stack([random.choice(enrollable[person], pictures, replace=False) for person in chosen.tolist()])
    known = np.setdiff1d(np.flatnonzero(np.isin(folder.people, chosen)), enrolled)
    strangers = np.setdiff1d(half, chosen)
    first, count = np.searchsorted(folder.people, strangers), np.bincount(folder.people)[strangers]
    return DrawnGallery(enrolled, known, first + (random.random(len(strangers)) * count).astype(np.intp))


def by_stock(folder: Folder, draws: Iterable[DrawnGallery]) -> Iterator[Answers]:
    """Yield the answers of stock: the nearest enrolled picture, by the negative square of the distance."""
    compared = by_distance(folder.stock.stream, folder.stock.found)
    for each in draws:
        known = compared.templates[each.enrolled.ravel()]
        alike = compared.probes[np.concatenate([each.known, each.strangers])] @ known.T
        yield _answers(folder, each, folder.stock.found, alike.reshape(-1, *each.enrolled.shape).max(axis=2))


def by_facegate(folder: Folder, draws: Iterable[DrawnGallery]) -> Iterator[Answers]:
    """Yield the answers of facegate, as in the gateway's gallery: the mean of the pictures, and typical faces."""
    similarity = Similarity(typical_faces())
    probes = similarity.probes(folder.facegate.stream)
    for each in draws:
        sums = folder.facegate.enrolment[each.enrolled].sum(axis=1)
        known = similarity.templates(sums / np.linalg.norm(sums, axis=1, keepdims=True))
        alike = probes[np.concatenate([each.known, each.strangers])] @ known.T
        yield _answers(folder, each, folder.facegate.found, alike)


def compare(
    folder: Folder, decision: Decision, galleries: int, wanted: Iterable[int] = GALLERY_SIZES
) -> list[dict[str, Any]]:
    """Compare the methods. ``galleries``: the number of galleries of each size."""
    halves, enrollable = split(folder), folder.enrollable()
    everybody = [np.sort(np.concatenate(halves))]
    plan = []
    for pictures in PICTURES:
        by_half = min(possible(half, enrollable, pictures) for half in halves)
        most = possible(everybody[0], enrollable, pictures)
        plan += [(size, pictures, halves if size <= by_half else everybody) for size in sizes(wanted, most)]
        if lacking := [size for size in wanted if size > most]:
            click.echo(
                f"Galleries of {' and '.join(map(str, lacking))} people with {pictures} pictures each are impossible: "
                f"the folder has enough people for {max(most, 0)}.",
                err=True,
            )
    if not plan:
        raise click.ClickException("there are too few people for a gallery and strangers.")
    console = Console(stderr=True)
    return [
        compared(folder, decision, _drawn_galleries(folder, parts, enrollable, size, pictures, galleries))
        for size, pictures, parts in track(plan, "galleries", console=console, disable=not sys.stderr.isatty())
    ]


def compared(folder: Folder, decision: Decision, draws: Sequence[tuple[int, DrawnGallery]]) -> dict[str, Any]:
    """Compare the methods. ``draws``: galleries of the same size, each with its half."""
    results = EngineResults(folder, [each for _, each in draws], [half for half, _ in draws])
    facegate = results.by_policy(decision)
    size, pictures = draws[0][1].enrolled.shape
    return {
        "gallery": size,
        "pictures": pictures,
        "galleries": len(draws),
        "stock": results.by_tolerance().shares(),
        "stock_at_target": results.at_target().shares(),
        "stock_calibrated_on": "other people" if len({half for half, _ in draws}) > 1 else "the same people",
        "facegate": {
            **facegate.shares(),
            "target_fpir": TARGET_FPIR,
            "fpir_interval": facegate.fpir_interval(),
            "fnir_interval": facegate.fnir.interval(),
            "known_as_another": facegate.another.share(),
            "fpir_galleries": facegate.fpir.spread(),
            "worst_stranger": facegate.fpir.worst(),
        },
    }


def measure(pictures: Path, galleries: int) -> list[dict[str, Any]]:
    found = labelled_pictures(pictures)
    if not found:
        raise click.ClickException(f"{pictures} has no pictures of people.")
    _, people = np.unique([each.person for each in found], return_inverse=True)
    paths = [each.path for each in found]
    folder = Folder(people, describe(paths, "stock"), describe(paths, "facegate"))
    return compare(folder, Decision(TARGET_FPIR, 0.001, measured_curves("facegate")), galleries)


def _drawn_galleries(
    folder: Folder, halves: Sequence[Indices], enrollable: Sequence[Indices], size: int, pictures: int, galleries: int
) -> list[tuple[int, DrawnGallery]]:
    """Draw galleries from the halves in turn, or from all people if a half is not enough."""
    random = np.random.default_rng([size, pictures])
    parts = [n % len(halves) for n in range(galleries)]
    return [(part, draw(folder, halves[part], enrollable, size, pictures, random)) for part in parts]


def _answers(folder: Folder, drawn: DrawnGallery, found: Bools, alike: Floats) -> Answers:
    """Return the answers. ``alike``: similarities of enrolled people, then strangers, to each person in the gallery."""
    probes = np.concatenate([drawn.known, drawn.strangers])
    alike = np.where(found[probes][:, None], alike, -np.inf).astype(np.float32)
    nearest = alike.argmax(axis=1)
    ordered = np.partition(alike, -2, axis=1) if alike.shape[1] > 1 else np.insert(alike, 0, -np.inf, axis=1)
    return Answers(folder.people[drawn.enrolled[nearest, 0]], ordered[:, -1], ordered[:, -2])


def _drawn(count: int, random: np.random.Generator) -> Floats:
    """Return random weights for resampling, (resamples, count)."""
    weights: Floats = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float32)
    return weights


def _rounded(share: Any) -> float:
    return round(float(share), 5)


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder of photographs by person.",
)  # fmt: skip
@click.option(
    "--galleries",
    type=click.IntRange(min=2),
    default=200,
    show_default=True,
    help="Number of random galleries of each size.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(pictures: Path, galleries: int, as_json: bool) -> None:
    results = measure(pictures, galleries)
    if as_json:
        click.echo(json.dumps(results))
        return
    ways = {"stock": "stock, 0.6", "stock_at_target": f"stock at {TARGET_FPIR:.0%}", "facegate": "Facegate"}
    table = Table("people", "pictures", *(f"{what}, {way}" for what in ("named", "missed") for way in ways.values()))
    for each in results:
        cells = [f"{each[way][rate]:.2%}" for rate in ("fpir", "fnir") for way in ways]
        table.add_row(str(each["gallery"]), str(each["pictures"]), *cells)
    Console().print("Strangers' pictures that are named, and known people's that are missed:", table)


if __name__ == "__main__":
    main()
