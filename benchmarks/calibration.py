"""The curve of impostors behind ``gateway/people/decision.py``: ``python -m benchmarks.calibration --pictures DIR``.

DIR is as for ``benchmarks.accuracy``. Of all pairs of different people: the cosine that is reached at each false
match rate, and the share of pairs of one person that stays below it. Pictures in which no face was found are left
out. With our engine a descriptor as in a stream is compared with one as enrolled, unless told otherwise; with
dlib-hog both are stock's one chip.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.accuracy import Floats, by_cosine, genuine_pairs, impostors, similarities, thresholds
from benchmarks.faces import describe, labelled
from gateway.model import Purpose

RATES = {"0.5": 2, "0.1": 10, "0.01": 100, "0.001": 1_000, "0.0001": 10_000, "0.00001": 100_000}
"""False match rates as they are written, and one in how many pairs that is."""

PURPOSES = click.Choice(get_args(Purpose))


def measure(folder: Path, engine: str, probe: Purpose, template: Purpose) -> dict[str, Any]:
    pictures = labelled(folder)
    if not pictures:
        raise click.ClickException(f"{folder} holds no pictures of people.")
    names, people = np.unique([each.person for each in pictures], return_inverse=True)
    described = describe([each.path for each in pictures], "facegate" if engine == "facegate" else "stock")
    compared = by_cosine(getattr(described, probe), getattr(described, template), described.found)
    alike = similarities(compared, genuine_pairs(people))
    genuine, strangers = alike[np.isfinite(alike)], impostors(compared, people)
    limits = zip(RATES, thresholds(strangers, RATES.values()), strict=True)
    return {
        "pictures": len(pictures),
        "found": int(described.found.sum()),
        "people": len(names),
        "impostor_pairs": len(strangers),
        "genuine_pairs": len(genuine),
        "curve": {rate: None if limit is None else _point(limit, genuine) for rate, limit in limits},
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def main(pictures: Path, engine: str, probe: Purpose, template: Purpose, as_json: bool) -> None:
    result = measure(pictures, engine, probe, template)
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo(
        "{found} of {pictures} pictures, of {people} people: {genuine_pairs} pairs of one person, {impostor_pairs} "
        "of two".format(**result)
    )
    table = Table("false match rate", "cosine", "pairs of one person missed")
    for rate, point in result["curve"].items():
        table.add_row(rate, *((f"{point['similarity']:.4f}", f"{100 * point['fnmr']:.2f} %") if point else ("?", "?")))
    Console().print(table)


if __name__ == "__main__":
    main()
