"""Strangers named, and people missed: ``python -m benchmarks.decisions --pictures DIR [--galleries N] [--json]``.

DIR is as for ``benchmarks.accuracy``. Of its people some are known, by one or three pictures each, and everybody else
is a stranger: this is open-set identification, as at a front door. FPIR is the share of strangers' pictures to which a
name is given, any name; FNIR the share of pictures of known people, other ones than they are known by, that do not get
their name: nobody's, another's, or no face was found.

Three ways to decide are asked about the same pictures. Stock as everybody uses it takes the nearest picture's person,
up to a distance of 0.6. Stock at our target has the distance instead at which one stranger in a hundred is named, who
were other people: the folder's are split in halves, galleries are drawn within them, and each half is judged by the
distance that the other half needs. Galleries too large for a half are drawn from all, and judge themselves. Ours is the
gateway's default: limits from the measured curves and from how many people are known, for the mean of a person's
pictures, and nobody is named where two people pass.

Where DIR is what the curves were measured on (``gateway/people/curves.json`` says so), ours knows these people already
as far as such curves can: galleries were not drawn for them, and each half was judged by the others' typical faces.

Averages hide people: so there is the stranger who is named most often too. The intervals, 95 %, come from drawing the
galleries and the people anew.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # read when numpy and dlib are loaded

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

from benchmarks.accuracy import TOLERANCE, Bools, Floats, Indices, by_distance
from benchmarks.faces import StoredFace, describe, labelled
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.similarity import Similarity, typical_faces

SIZES = (10, 100, 500)
PICTURES = (1, 3)
TARGET = 0.01
"""FPIR, the gateway's default (config.DecisionSettings)."""

FEWEST = 10
"""Strangers that each half must have, and times that a stranger must have been seen to be called the worst."""

SHARE = 0.9
"""Of those who have enough pictures so many are in a gallery at most: of all of them there is but one."""

RESAMPLES = 500


@dataclass(frozen=True, slots=True, eq=False)
class Folder:
    """n pictures: whose they are, ascending from 0, and what both engines saw in them."""

    people: Indices
    stock: StoredFace
    ours: StoredFace

    def enrollable(self) -> list[Indices]:
        """Of each person the pictures in which both engines find a face: somebody is there and would take another."""
        usable = self.stock.found & self.ours.found
        return [np.flatnonzero((self.people == person) & usable) for person in range(self.people.max() + 1)]


@dataclass(frozen=True, slots=True, eq=False)
class DrawTask:
    """A gallery: the pictures of those who are known, (people, pictures), and the pictures of who comes to the door."""

    enrolled: Indices
    known: Indices
    strangers: Indices


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """To each of some probes: who in the gallery is most alike, how much, and how much the next best is."""

    person: Indices
    best: Floats
    second: Floats

    def named(self, limit: float, ambiguous: bool) -> Bools:
        """``ambiguous``: nobody is named where two people pass."""
        passing: Bools = (self.best >= limit) & ~(ambiguous & (self.second >= limit))
        return passing


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """In each gallery of each person, (galleries, people): how many pictures were seen, and to how many it happened."""

    happened: Floats
    seen: Floats

    def share(self) -> float:
        return _rounded(self.happened.sum() / max(self.seen.sum(), 1))

    def interval(self) -> list[float]:
        """Of the share, 95 %. Galleries and people are drawn anew, since pictures in one, or of one, are alike."""
        random = np.random.default_rng(0)
        galleries, people = (_drawn(count, random) for count in self.seen.shape)
        happened, seen = (((galleries @ each) * people).sum(axis=1) for each in (self.happened, self.seen))
        return [_rounded(end) for end in np.quantile(happened / np.maximum(seen, 1), (0.025, 0.975))]

    def spread(self) -> list[float]:
        """From gallery to gallery, nine in ten."""
        shares = self.happened.sum(axis=1) / np.maximum(self.seen.sum(axis=1), 1)
        return [_rounded(end) for end in np.quantile(shares, (0.05, 0.95))]

    def worst(self) -> float | None:
        """The highest share of anybody who was seen often enough to tell."""
        happened, seen = self.happened.sum(axis=0), self.seen.sum(axis=0)
        often = seen >= FEWEST
        return _rounded((happened[often] / seen[often]).max()) if often.any() else None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Strangers who were named, known people who did not get their name, and those of them who got another's.

    ``mistakes``: (n, 3), the gallery, the stranger, whose name; ``members``: who is in each gallery, (galleries,
    people).
    """

    fpir: Tally
    fnir: Tally
    another: Tally
    mistakes: Indices
    members: Floats

    def fpir_interval(self) -> list[float]:
        """95 %. Who is in a gallery is drawn anew too: somebody in all of them whom many resemble counts in each."""
        random = np.random.default_rng(0)
        galleries, people = (_drawn(count, random) for count in self.members.shape)
        gallery, stranger, name = self.mistakes.T
        named = (galleries[:, gallery] * people[:, stranger] * people[:, name]).sum(axis=1)
        crowd = people @ (self.members / self.members.sum(axis=1, keepdims=True)).T
        seen = (galleries * crowd * (people @ self.fpir.seen.T)).sum(axis=1)
        return [_rounded(end) for end in np.quantile(named / np.maximum(seen, 1), (0.025, 0.975))]

    def shares(self) -> dict[str, float]:
        return {"fpir": self.fpir.share(), "fnir": self.fnir.share()}


class Judged:
    """What the two engines say to the same draws, of which each belongs to one half of the people."""

    def __init__(self, folder: Folder, draws: Sequence[DrawTask], halves: Sequence[int]) -> None:
        self._people = folder.people
        self._draws = draws
        self._halves = halves
        self.stock = list(by_stock(folder, draws))
        self.ours = list(by_ours(folder, draws))

    def outcome(self, answers: Sequence[Answers], limits: Sequence[float], ambiguous: bool) -> Outcome:
        """``limits``: for each draw."""
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
            Tally(stranger, strangers), Tally(missed, known), Tally(another, known), np.concatenate(mistakes), members
        )

    def by_tolerance(self) -> Outcome:
        return self.outcome(self.stock, [-(TOLERANCE**2)] * len(self._draws), ambiguous=False)

    def at_target(self) -> Outcome:
        """By the distance that the other half needs; the same people, where galleries are drawn from all."""
        needed = [self._needed(half) for half in sorted(set(self._halves))]
        return self.outcome(self.stock, [needed[half - 1] for half in self._halves], ambiguous=False)

    def by_policy(self, decision: Decision) -> Outcome:
        """As Decision.identify, for whom everybody in a gallery is known by as many pictures."""
        limits = [float(decision.similarity_limits(len(draw.enrolled))[draw.enrolled.shape[1]]) for draw in self._draws]
        return self.outcome(self.ours, limits, ambiguous=True)

    def _needed(self, half: int) -> float:
        """The limit at which as many strangers are named in that half as may be."""
        own = [number for number, each in enumerate(self._halves) if each == half]
        best = np.concatenate([self.stock[number].best[len(self._draws[number].known) :] for number in own])
        return at_most(best, TARGET)


def at_most(best: Floats, share: float) -> float:
    """The lowest limit that no more than that share passes."""
    first_out = np.sort(best)[::-1][int(share * len(best))]
    return float(np.nextafter(first_out, np.float32(np.inf)))


def split(folder: Folder) -> list[Indices]:
    """The people in halves, those with many pictures as evenly as those with few."""
    random = np.random.default_rng(0)
    order = random.permutation(folder.people.max() + 1)
    pictures = np.bincount(folder.people)[order]
    order = order[np.argsort(-pictures, kind="stable")]
    return [np.sort(order[half::2]) for half in (0, 1)]


def possible(half: Indices, enrollable: Sequence[Indices], pictures: int) -> int:
    """The largest gallery that leaves enough strangers, and enough of those who could be in it to make others."""
    people = sum(len(enrollable[person]) >= pictures for person in half.tolist())
    return min(int(SHARE * people), len(half) - FEWEST)


def sizes(wanted: Iterable[int], most: int) -> list[int]:
    """What cannot be had becomes the most that can."""
    return sorted({min(size, most) for size in wanted if most > 0})


def draw(
    folder: Folder, half: Indices, enrollable: Sequence[Indices], size: int, pictures: int, random: np.random.Generator
) -> DrawTask:
    eligible = [person for person in half.tolist() if len(enrollable[person]) >= pictures]
    chosen = random.choice(eligible, size, replace=False)
    enrolled = np.stack([random.choice(enrollable[person], pictures, replace=False) for person in chosen.tolist()])
    known = np.setdiff1d(np.flatnonzero(np.isin(folder.people, chosen)), enrolled)
    strangers = np.setdiff1d(half, chosen)
    first, count = np.searchsorted(folder.people, strangers), np.bincount(folder.people)[strangers]
    return DrawTask(enrolled, known, first + (random.random(len(strangers)) * count).astype(np.intp))


def by_stock(folder: Folder, draws: Iterable[DrawTask]) -> Iterator[Answers]:
    """The nearest of all enrolled pictures; alike is the distance's square, negative."""
    compared = by_distance(folder.stock.stream, folder.stock.found)
    for each in draws:
        known = compared.templates[each.enrolled.ravel()]
        alike = compared.probes[np.concatenate([each.known, each.strangers])] @ known.T
        yield _answers(folder, each, folder.stock.found, alike.reshape(-1, *each.enrolled.shape).max(axis=2))


def by_ours(folder: Folder, draws: Iterable[DrawTask]) -> Iterator[Answers]:
    """As in the gateway's gallery: the mean of the pictures, and how crowded it is about either face."""
    similarity = Similarity(typical_faces())
    probes = similarity.probes(folder.ours.stream)
    for each in draws:
        sums = folder.ours.enrolment[each.enrolled].sum(axis=1)
        known = similarity.templates(sums / np.linalg.norm(sums, axis=1, keepdims=True))
        alike = probes[np.concatenate([each.known, each.strangers])] @ known.T
        yield _answers(folder, each, folder.ours.found, alike)


def compare(folder: Folder, decision: Decision, galleries: int, wanted: Iterable[int] = SIZES) -> list[dict[str, Any]]:
    """``galleries``: of each size that are drawn."""
    halves, enrollable = split(folder), folder.enrollable()
    everybody = [np.sort(np.concatenate(halves))]
    plan = []
    for pictures in PICTURES:
        by_half = min(possible(half, enrollable, pictures) for half in halves)
        most = possible(everybody[0], enrollable, pictures)
        plan += [(size, pictures, halves if size <= by_half else everybody) for size in sizes(wanted, most)]
        if lacking := [size for size in wanted if size > most]:
            click.echo(
                f"Galleries of {' and '.join(map(str, lacking))} people with {pictures} pictures each cannot be drawn: "
                f"these people are enough for {max(most, 0)}.",
                err=True,
            )
    if not plan:
        raise click.ClickException("there are too few people for any gallery and strangers before it.")
    console = Console(stderr=True)
    return [
        compared(folder, decision, _drawn_galleries(folder, parts, enrollable, size, pictures, galleries))
        for size, pictures, parts in track(plan, "galleries", console=console, disable=not sys.stderr.isatty())
    ]


def compared(folder: Folder, decision: Decision, draws: Sequence[tuple[int, DrawTask]]) -> dict[str, Any]:
    """``draws``: of the same size, each with its half."""
    judged = Judged(folder, [each for _, each in draws], [half for half, _ in draws])
    ours = judged.by_policy(decision)
    size, pictures = draws[0][1].enrolled.shape
    return {
        "gallery": size,
        "pictures": pictures,
        "galleries": len(draws),
        "stock": judged.by_tolerance().shares(),
        "stock_at_target": judged.at_target().shares(),
        "stock_calibrated_on": "other people" if len({half for half, _ in draws}) > 1 else "the same people",
        "facegate": {
            **ours.shares(),
            "target_fpir": TARGET,
            "fpir_interval": ours.fpir_interval(),
            "fnir_interval": ours.fnir.interval(),
            "known_as_another": ours.another.share(),
            "fpir_galleries": ours.fpir.spread(),
            "worst_stranger": ours.fpir.worst(),
        },
    }


def measure(pictures: Path, galleries: int) -> list[dict[str, Any]]:
    found = labelled(pictures)
    if not found:
        raise click.ClickException(f"{pictures} holds no pictures of people.")
    _, people = np.unique([each.person for each in found], return_inverse=True)
    paths = [each.path for each in found]
    folder = Folder(people, describe(paths, "stock"), describe(paths, "facegate"))
    return compare(folder, Decision(TARGET, 0.001, measured_curves("facegate")), galleries)


def _drawn_galleries(
    folder: Folder, halves: Sequence[Indices], enrollable: Sequence[Indices], size: int, pictures: int, galleries: int
) -> list[tuple[int, DrawTask]]:
    """From the halves in turn, or from all where a half is not enough."""
    random = np.random.default_rng([size, pictures])
    parts = [n % len(halves) for n in range(galleries)]
    return [(part, draw(folder, halves[part], enrollable, size, pictures, random)) for part in parts]


def _answers(folder: Folder, drawn: DrawTask, found: Bools, alike: Floats) -> Answers:
    """``alike``: of the known, then of the strangers, to each person in the gallery."""
    probes = np.concatenate([drawn.known, drawn.strangers])
    alike = np.where(found[probes][:, None], alike, -np.inf).astype(np.float32)
    nearest = alike.argmax(axis=1)
    ordered = np.partition(alike, -2, axis=1) if alike.shape[1] > 1 else np.insert(alike, 0, -np.inf, axis=1)
    return Answers(folder.people[drawn.enrolled[nearest, 0]], ordered[:, -1], ordered[:, -2])


def _drawn(count: int, random: np.random.Generator) -> Floats:
    """How often each of so many counts, (resamples, count)."""
    weights: Floats = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float32)
    return weights


def _rounded(share: Any) -> float:
    return round(float(share), 5)


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="The folder of photographs by person.",
)  # fmt: skip
@click.option(
    "--galleries", type=click.IntRange(min=2), default=200, show_default=True, help="Of each size, drawn at random."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def main(pictures: Path, galleries: int, as_json: bool) -> None:
    results = measure(pictures, galleries)
    if as_json:
        click.echo(json.dumps(results))
        return
    ways = {"stock": "stock, 0.6", "stock_at_target": f"stock at {TARGET:.0%}", "facegate": "Facegate"}
    table = Table("people", "pictures", *(f"{what}, {way}" for what in ("named", "missed") for way in ways.values()))
    for each in results:
        cells = [f"{each[way][rate]:.2%}" for rate in ("fpir", "fnir") for way in ways]
        table.add_row(str(each["gallery"]), str(each["pictures"]), *cells)
    Console().print("Strangers' pictures that are named, and known people's that are missed:", table)


if __name__ == "__main__":
    main()
