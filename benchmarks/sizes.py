"""Wrong names by the size of the face: ``python -m benchmarks.sizes --pictures DIR [--people N] [--json]``.

DIR is as for ``benchmarks.accuracy``. One picture of each person is enrolled in its own size. The same picture is
reduced to several sizes, and described as for a stream. Each reduced face is a stranger to all other people. It counts
in the range of its ``quality.pixels``, whatever the limits of ``quality``. If the gateway's curves and typical faces
were made of DIR, all figures are too good; the last range, with the pictures in their own size, says how much.

For each range the command prints the number of faces, and:

- ``named``: the share that gets a name among 1, 10 and 100 enrolled people. It should be at most 0.01.
- ``interval``: its 95 % interval, from resampling the faces.
- ``confirmed``: the share of all pairs of a face and another person that ``verify`` confirms. It should be at most
  0.001.
- ``same``: the share of the pairs of reduced faces of two people that pass for one person, as ``face_match`` decides.
  It should be at most 0.001.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy and dlib

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.engines import LIMITS, engine
from gateway.config import DecisionSettings
from gateway.model import AnalyseTask, FoundFace, Purpose, Search
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.labelled_pictures import labelled_pictures
from gateway.people.similarity import Similarity, typical_faces
from gateway.vision.analyse import analyse
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Engine

SIZES_PX = (33, 40, 48, 60)
"""Sizes to which faces are reduced. The boxes of one face in two sizes differ by more than the reduction."""

RANGES_PX = (25, 36, 50, 60, 80, 500)
"""Edges of the ranges of ``quality.pixels``."""

MIN_FACE_PX = 28
SHEET_PX = 180
"""Side of the sheet onto which a reduced picture is put: the engine then prepares its networks only once."""

GALLERY_SIZES = (1, 10, 100)
RESAMPLES = 200

Floats = NDArray[np.float32]
Shares = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """n descriptors, (n, 128), with their person and their size in pixels, (n,)."""

    descriptors: Floats
    people: NDArray[np.int_]
    pixels: NDArray[np.int_]

    def chosen(self, mask: NDArray[np.bool_]) -> Faces:
        return Faces(self.descriptors[mask], self.people[mask], self.pixels[mask])


def see(picture: Picture, scale: float, purpose: Purpose, facegate: Engine) -> FoundFace | None:
    """Return the face nearest to the middle of the reduced picture, if it has a descriptor."""
    reduced = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = reduced.shape[:2]
    if scale < 1:
        missing = max(0, SHEET_PX - height), max(0, SHEET_PX - width)
        reduced = np.pad(reduced, ((0, missing[0]), (0, missing[1]), (0, 0)), constant_values=128)
    data = cv2.imencode(".png", cv2.cvtColor(reduced, cv2.COLOR_RGB2BGR))[1].tobytes()
    search = Search(MIN_FACE_PX if scale < 1 else Search().min_face)
    seen = analyse(data, facegate, AnalyseTask(search, descriptors=purpose), LIMITS)
    places = [
        (abs(face.box.left + face.box.right - width) + abs(face.box.top + face.box.bottom - height), number)
        for number, face in enumerate(seen.faces)
    ]
    face = seen.faces[min(places)[1]] if places else None
    return face if face is not None and face.descriptor is not None else None


def describe(folder: Path, people: int, sizes: Sequence[int]) -> tuple[Faces, Faces]:
    """Return the enrolled faces, one of each person, and the reduced ones."""
    firsts = [next(group).path for _, group in groupby(labelled_pictures(folder), lambda each: each.person)]
    drawn = sorted(np.random.default_rng(0).permutation(len(firsts))[:people].tolist())
    facegate = engine()
    enrolled: list[tuple[int, FoundFace]] = []
    reduced: list[tuple[int, FoundFace]] = []
    for number in track(drawn, "pictures", console=Console(stderr=True), disable=not sys.stderr.isatty()):
        picture = decode(firsts[number].read_bytes(), LIMITS)
        if (face := see(picture, 1, "enrolment", facegate)) is None:
            continue
        enrolled.append((number, face))
        own = face.box.right - face.box.left
        scales = [size / own for size in sizes if size < own] + [1.0]
        seen = [see(picture, scale, "stream", facegate) for scale in scales]
        reduced += [(number, each) for each in seen if each is not None]
    if not reduced:
        raise click.ClickException(f"{folder} has too few pictures with large faces.")
    return _faces(enrolled), _faces(reduced)


def _faces(found: Sequence[tuple[int, FoundFace]]) -> Faces:
    descriptors = np.array([face.descriptor for _, face in found], np.float32)
    pixels = np.array([face.quality.pixels if face.quality else 0 for _, face in found])
    return Faces(descriptors, np.array([number for number, _ in found]), pixels)


def named(alike: Floats, limit: float, gallery: int) -> Shares:
    """Return for each face the share of all galleries of this many people in which it gets a name.

    ``alike``: similarities of faces to people, (faces, people); -inf where both are one person. A face that passes for
    two people of the gallery gets no name, as in the gateway.
    """
    people = alike.shape[1]
    passing = (alike >= limit).sum(axis=1)
    # Exactly one of the people in the gallery passes: the others are drawn from the people who do not.
    share: Shares = passing * gallery / people
    for drawn in range(gallery - 1):
        share = share * np.clip((people - passing - drawn) / (people - 1 - drawn), 0, None)
    return share


def interval(shares: Shares) -> list[float]:
    """Return the 95 % interval of the mean, from resampling the faces."""
    drawn = np.random.default_rng(0).choice(shares, (RESAMPLES, len(shares)))
    return [round(float(end), 5) for end in np.quantile(drawn.mean(axis=1), (0.025, 0.975))]


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Similarities of reduced faces, to enrolled people and to each other; -inf within one person."""

    to_people: Floats
    to_each_other: Floats


def compare(reduced: Faces, enrolled: Faces) -> Alike:
    similarity = Similarity(typical_faces())
    probes = similarity.probes(reduced.descriptors)
    return Alike(
        _between(probes @ similarity.templates(enrolled.descriptors).T, reduced, enrolled),
        _between(probes @ similarity.templates(reduced.descriptors).T, reduced, reduced),
    )


def _between(alike: Floats, ones: Faces, others: Faces) -> Floats:
    return np.where(ones.people[:, None] == others.people[None], -np.inf, alike).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Limits:
    """Lowest similarities with the default settings: for a name, by the number of people, and for one person."""

    name: dict[int, float]
    match: float

    @classmethod
    def of_defaults(cls) -> Limits:
        settings, curves = DecisionSettings(), measured_curves("facegate")
        decision = Decision(settings.max_false_identification, settings.max_false_match, curves)
        names = {people: float(decision.similarity_limits(people)[1]) for people in GALLERY_SIZES}
        return cls(names, curves.for_pictures(1).similarity_at(-math.log10(settings.max_false_match)))


def figures(alike: Alike, limits: Limits) -> dict[str, Any]:
    people = alike.to_people.shape[1]
    shares = {n: named(alike.to_people, limit, n) for n, limit in limits.name.items() if n < people}
    return {
        "faces": len(alike.to_people),
        "named": {str(n): round(float(each.mean()), 5) for n, each in shares.items()},
        "interval": {str(n): interval(each) for n, each in shares.items()},
        "confirmed": _passing(alike.to_people, limits.match),
        "same": _passing(alike.to_each_other, limits.match),
    }


def _passing(alike: Floats, limit: float) -> float | None:
    """Return the share of the pairs of two people that pass for one person."""
    pairs = alike[np.isfinite(alike)]
    return round(float((pairs >= limit).mean()), 6) if len(pairs) else None


def measure(folder: Path, people: int, sizes: Sequence[int]) -> dict[str, Any]:
    limits = Limits.of_defaults()
    enrolled, reduced = describe(folder, people, sizes)
    ranges = {
        f"{low} to {high - 1}": reduced.chosen((reduced.pixels >= low) & (reduced.pixels < high))
        for low, high in pairwise(RANGES_PX)
    }
    by_range = {name: figures(compare(seen, enrolled), limits) for name, seen in ranges.items() if len(seen.people)}
    return {"people": len(enrolled.people), "pixels": by_range}


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder of photographs by person.",
)  # fmt: skip
@click.option("--people", default=500, show_default=True, help="Number of randomly chosen people.")
@click.option("--sizes", type=int, multiple=True, default=SIZES_PX, show_default=True, help="Sizes in pixels.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(pictures: Path, people: int, sizes: tuple[int, ...], as_json: bool) -> None:
    result = measure(pictures, people, sizes)
    if as_json:
        click.echo(json.dumps(result))
        return
    table = Table("pixels", "faces", *(f"named among {n}" for n in GALLERY_SIZES), "confirmed", "same")
    for pixels, each in result["pixels"].items():
        cells = [_with_interval(each, str(n)) for n in GALLERY_SIZES]
        table.add_row(pixels, str(each["faces"]), *cells, _percent(each["confirmed"]), _percent(each["same"]))
    Console().print(table)


def _with_interval(each: dict[str, Any], gallery: str) -> str:
    if gallery not in each["named"]:
        return "-"
    low, high = each["interval"][gallery]
    return f"{each['named'][gallery]:.2%} ({low:.2%} to {high:.2%})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.3%}"


if __name__ == "__main__":
    main()
