"""The measurement of the gateway's curves: ``python -m benchmarks.calibration --pictures DIR [--write]``.

DIR is as for ``benchmarks.accuracy``. Pictures without a found face are left out. A person is described for enrolment,
a probe for a stream. ``gateway/people/curve_measurement.py`` tells how the curves and the typical faces are measured.
With dlib-hog both descriptors are the one chip of stock, and the similarity is the plain cosine.

``--write`` replaces the gateway's curves (``gateway/people/curves.json``) by the measured ones, and its typical faces
by those of all people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.faces import Vectors, describe
from gateway.people.curve_measurement import (
    PROBE_COUNTS,
    LabelledFaces,
    measure_curves,
    same_cosine,
)
from gateway.people.curves import CURVES_FILE
from gateway.people.labelled_pictures import labelled_pictures
from gateway.people.similarity import TYPICAL_FACES_FILE
from gateway.people.typical_faces import one_each, typical


def measure(folder: Path, engine: str) -> dict[str, Any]:
    pictures = labelled_pictures(folder)
    if not pictures:
        raise click.ClickException(f"{folder} has no pictures of people.")
    is_facegate = engine == "facegate"
    everything = describe([each.path for each in pictures], "facegate" if is_facegate else "stock")
    found = everything.found
    names, people = np.unique(
        [each.person for each, seen in zip(pictures, found, strict=True) if seen], return_inverse=True
    )
    described = LabelledFaces(people, unit(everything.stream[found]), unit(everything.enrolment[found]))
    return {
        "pictures": int(found.sum()),
        "people": len(names),
        "curves": measure_curves(described, with_typical=is_facegate),
        "same_cosine": same_cosine(described),
        "typical": typical(one_each(described.enrolment, people)) if is_facegate else None,
    }


def unit(vectors: Vectors) -> Vectors:
    lengths: Vectors = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors / lengths


def write(result: Mapping[str, Any], engine: str) -> None:
    faces = result["typical"]
    if not all(len(each) == len(PROBE_COUNTS) for each in result["curves"].values()):
        raise click.ClickException("the pictures have too few people with many pictures for the curves.")
    if engine == "facegate" and not len(faces):
        raise click.ClickException("the pictures have too few people for typical faces.")
    table = (
        json.loads(CURVES_FILE.read_text())
        if CURVES_FILE.exists()
        else {"measured": {}, "same_cosine": {}, "curves": {}}
    )
    name = "facegate" if engine == "facegate" else "stock"
    table["measured"][name] = (
        f"python -m benchmarks.calibration --engine {engine} on {result['pictures']} press photographs of "
        f"{result['people']} people (LFW, grey, 250 x 250, at most six of a person)"
    )
    table["same_cosine"][name] = result["same_cosine"]
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
