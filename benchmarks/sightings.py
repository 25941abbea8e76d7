"""The accuracy of sightings: ``python -m benchmarks.sightings --pictures DIR [--galleries N] [--json]``.

DIR is as for ``benchmarks.accuracy``. Some of its people are enrolled with one or three photographs each, and all
others are strangers. A sighting is a person in front of a live camera for 2, 3 or 5 frames, decided as in the gateway
(``gateway/live/sighting_decision.py``). There are three kinds of frames. ``independent``: other photographs of the
person. ``steady`` and ``moving``: copies of one photograph, changed as the picture of somebody who stands still or
moves (``benchmarks/perturbed.py``).

FPIR is the share of strangers' sightings in which any name is given at any time, of those with a usable frame
(``fpir_all``: of all). FNIR is the share of the sightings of enrolled people that do not have their name in the end,
also if no frame was usable. ``single_frame``: the same for the first frame alone, decided with the whole allowed rate.

If the curves were measured on DIR (see ``gateway/people/curves.json``), the figures are a little too good. The 95 %
intervals come from resampling galleries and people. Few people have five further photographs.
"""

from __future__ import annotations

import os

# Before the import of numpy.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})

import json
import math
import multiprocessing
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.decisions import Outcome, Shares
from benchmarks.sighting_draws import KINDS, Draw, Kind, Seen, draw_galleries, possible_sizes, watch
from benchmarks.sighting_faces import PhotographedPerson, describe_people
from gateway.config import WorkerSettings

TARGET_FPIR = 0.01
"""Target FPIR, the gateway's default (config.DecisionSettings)."""

GALLERY_SIZES = (10, 100)
PICTURES = (1, 3)
FRAMES = (2, 3, 5)

GALLERIES = 60
"""Galleries of ten people. There are fewer of larger ones, since each has more sightings."""

Task = tuple[int, int, Kind]
"""The number of people in a gallery, of pictures of each, and the kind of frames."""


def measure(people: Sequence[PhotographedPerson], galleries: int) -> dict[str, Any]:
    tasks = [
        (size, pictures, kind)
        for pictures in PICTURES
        for size in possible_sizes(people, pictures, GALLERY_SIZES)
        for kind in KINDS
    ]
    if not tasks:
        raise click.ClickException("there are too few people for a gallery and strangers.")
    # The progress bar is a thread, so this process must not fork.
    with ProcessPoolExecutor(WorkerSettings().count, multiprocessing.get_context("spawn")) as executor:
        results = executor.map(partial(measure_kind, people, galleries), tasks)
        console = Console(stderr=True)
        shown = track(results, "sightings", len(tasks), console=console, disable=not sys.stderr.isatty())
        rows = [row for each in shown for row in each]
    return {"target_fpir": TARGET_FPIR, "rows": rows}


def measure_kind(people: Sequence[PhotographedPerson], galleries: int, task: Task) -> list[dict[str, Any]]:
    """Return a row for each number of frames."""
    size, pictures, kind = task
    draws = draw_galleries(people, size, pictures, _count(galleries, size))
    seen = [each for number, draw in enumerate(draws) for each in watch(people, draw, number, kind, FRAMES)]
    return [
        {"gallery": size, "pictures": pictures, "frames": frames, "kind": kind}
        | _row([each for each in seen if each.frames == frames], draws, len(people))
        for frames in FRAMES
    ]


def _count(galleries: int, size: int) -> int:
    """Return the number of galleries of a size."""
    return max(round(galleries * min(1.0, math.sqrt(10 / size))), 2)


def _row(seen: Sequence[Seen], draws: Sequence[Draw], people: int) -> dict[str, Any]:
    strangers, known = [each for each in seen if not each.enrolled], [each for each in seen if each.enrolled]
    usable = [each for each in strangers if each.usable]
    outcome = Outcome(
        _shares(usable, [bool(each.names) for each in usable], draws, people),
        _shares(known, [each.last != each.person for each in known], draws, people),
        _shares(known, [bool(each.names - {each.person}) for each in known], draws, people),
        np.array([(each.gallery, each.person, name) for each in usable for name in each.names], np.intp).reshape(-1, 3),
        np.stack([np.bincount(draw.members, minlength=people) for draw in draws]).astype(np.float32),
    )
    return {
        "sightings_of_strangers": len(usable),
        "fpir": outcome.fpir.share() if usable else None,
        "fpir_interval": outcome.fpir_interval() if usable else None,
        "fpir_all": _mean(bool(each.names) for each in strangers),
        "sightings_of_known": len(known),
        "fnir": outcome.fnir.share() if known else None,
        "fnir_interval": outcome.fnir.interval() if known else None,
        "known_as_another": outcome.another.share() if known else None,
        "unusable": _mean(not each.usable for each in seen),
        "median_looks": float(np.median([each.looks for each in seen])) if seen else None,
        "single_frame": {
            "fpir": _mean(each.single is not None for each in strangers if each.first_usable),
            "fnir": _mean(each.single != each.person for each in known),
        },
    }


def _shares(seen: Sequence[Seen], happened: Sequence[bool], draws: Sequence[Draw], people: int) -> Shares:
    counts = np.zeros((2, len(draws), people), np.float32)
    for each, event in zip(seen, happened, strict=True):
        counts[:, each.gallery, each.person] += (event, 1)
    return Shares(*counts)


def _mean(which: Iterable[bool]) -> float | None:
    found = list(which)
    return round(float(np.mean(found)), 5) if found else None


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("people", "pictures", "kind", "frames", "named", "missed", "first frame: named", "missed")
    for row in rows:
        about = [str(row[name]) for name in ("gallery", "pictures", "kind", "frames")]
        single = [_percent(row["single_frame"][name]) for name in ("fpir", "fnir")]
        table.add_row(*about, *(_percent(row[name], row[f"{name}_interval"]) for name in ("fpir", "fnir")), *single)
    return table


def _percent(share: float | None, interval: Sequence[float] | None = None) -> str:
    if share is None:
        return "-"
    about = f" ({interval[0]:.1%} to {interval[1]:.1%})" if interval else ""
    return f"{share:.1%}{about}"


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder of photographs by person.",
)  # fmt: skip
@click.option(
    "--galleries",
    type=click.IntRange(min=2),
    default=GALLERIES,
    show_default=True,
    help="Number of random galleries of ten people. There are fewer of larger ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(pictures: Path, galleries: int, as_json: bool) -> None:
    result = measure(describe_people(pictures), galleries)
    if as_json:
        click.echo(json.dumps(result))
        return
    Console().print("Sightings of strangers that get a name, and of enrolled people that are missed:")
    Console().print(_table(result["rows"]))


if __name__ == "__main__":
    main()
