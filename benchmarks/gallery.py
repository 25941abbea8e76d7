"""The search in large galleries, and their storage: ``python -m benchmarks.gallery [--people N …] [--json]``.

Stock is the usual way to use face_recognition: ``face_distance`` to all people in one array, and its minimum. Facegate
is the gateway's own search, with its thresholds. Both search the same faces among the same people, on one thread. They
alternate, because the speed of a machine varies. The figures are medians over the rounds. First, the answers for some
probes are compared with brute force: a fast search that misses people would be worthless.

The people are imported into a store as from an archive, and loaded as at the gateway's start. The loading runs in a
separate process, and its time and memory are measured. The people are 128 random numbers each.

``--store postgres`` measures a store in PostgreSQL instead, which this command starts (benchmarks/postgres_gallery.py).
Its figures are always JSON.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.gallery_people import (
    BATCH_PEOPLE,
    PROBES,
    Vectors,
    batches,
    faces,
    fill,
    open_database_gallery,
    open_gallery,
    shown,
)
from gateway.model import Descriptor
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.similarity import CROWD_WEIGHT, typical_faces

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = (1_000, 100_000, 1_000_000)
POSTGRES_PEOPLE = (1_000, 10_000, 100_000)
LAP_ROWS = 100_000
"""Rows per timed lap: with few people several searches are timed together."""

MAX_SEARCHES_PER_LAP = 100
"""Largest number of searches per lap."""

ROUNDING = 1e-5
"""Largest difference between float32 and float64."""

Search = Callable[[Descriptor], object]


def measure_start_in_process(place: Path | str, *, in_database: bool = False) -> dict[str, float]:
    """Measure the loading in a separate process. ``in_database``: for a search there."""
    command = [sys.executable, "-m", "benchmarks.gallery", "--opened", str(place)]
    command += ["--in-database"] if in_database else []
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measure_start(place: Path | str, *, in_database: bool) -> dict[str, float]:
    begun = time.perf_counter()
    store, gallery = open_database_gallery(str(place)) if in_database else open_gallery(place)
    taken = time.perf_counter() - begun
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    # The gallery must exist until memory is measured.
    assert len(gallery)
    store.close()
    return {"start_s": taken, "rss_mb": int(status["VmRSS"].split()[0]) * 1024 / 1e6}


def check(gallery: Gallery, people: int, probes: Vectors) -> None:
    """Check that the found people are the two most similar ones, by a separate computation in float64."""
    typical = typical_faces().astype(np.float64)
    alike = np.concatenate([_alike(batch.astype(np.float64), probes, typical) for batch in batches(people)])
    places = np.argsort(-alike, axis=0)[:2].T
    limits = _decision().similarity_limits(people)
    for probe, truth, similarities in zip(probes, places, alike.T, strict=True):
        found = gallery.nearest(probe, limits)
        rows = [int(each.person.name.split()[-1]) for each in found.candidates]
        assert found.people == people, f"{found.people} people were searched, not {people}"
        assert len(set(rows)) == len(truth), f"{rows} were found, not {len(truth)} people"
        for each, row, right in zip(found.candidates, rows, truth.tolist(), strict=True):
            # Another person with the same similarity, except for rounding, may be found.
            best = similarities[right]
            assert similarities[row] > best - ROUNDING, f"{row} was found, and {right} is more alike"
            assert abs(each.similarity - best) < ROUNDING, f"{right} is alike by {best}, not {each.similarity}"


def stock(people: int) -> Search:
    # The import takes half a second and 100 MB, so the process that measures memory must avoid it.
    from gateway.vision.engines.stock import api

    known = np.empty((people, 128))
    for number, descriptors in enumerate(batches(people)):
        known[number * BATCH_PEOPLE : (number + 1) * BATCH_PEOPLE] = descriptors
    return lambda probe: np.argmin(api.face_distance(known, probe.astype(np.float64)))


def facegate(gallery: Gallery) -> Search:
    decision = _decision()
    return lambda probe: gallery.nearest(probe, decision.similarity_limits(len(gallery)))


def measure_searches(gallery: Gallery, people: int, rounds: int) -> tuple[float, float]:
    """Return the milliseconds per search of stock and of facegate."""
    probes = faces(people)
    searches = stock(people), facegate(gallery)
    for search in searches:
        search(probes[0])
    count = min(max(LAP_ROWS // people, 1), MAX_SEARCHES_PER_LAP)
    laps = []
    for number in shown(range(rounds), f"{people} people searched", rounds):
        looked_for = [probes[(number + n) % PROBES] for n in range(count)]
        laps.append([lap_ms(search, looked_for) for search in searches])
    stock_laps, facegate_laps = zip(*laps, strict=True)
    return statistics.median(stock_laps), statistics.median(facegate_laps)


def lap_ms(search: Search, probes: Sequence[Descriptor]) -> float:
    begun = time.perf_counter()
    for probe in probes:
        search(probe)
    return 1000 * (time.perf_counter() - begun) / len(probes)


def measure(people: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="facegate-") as folder:
        path = Path(folder) / "people.sqlite"
        import_per_s = fill(path, people)
        begun = measure_start_in_process(path)
        store, gallery = open_gallery(path)
        store.close()
    check(gallery, people, faces(people))
    stock_ms, facegate_ms = measure_searches(gallery, people, rounds)
    return {
        "people": people,
        "stock_ms": round(stock_ms, 3),
        "facegate_ms": round(facegate_ms, 3),
        "ratio": _three_digits(stock_ms / facegate_ms),
        "rss_mb": round(begun["rss_mb"]),
        "import_per_s": _three_digits(import_per_s),
        "start_s": round(begun["start_s"], 3),
    }


def _three_digits(value: float) -> float:
    """Round to three digits. Fixed decimals could be only zeros on a slow machine."""
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded.is_integer() else rounded


def _alike(known: NDArray[np.float64], probes: Vectors, typical: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the similarity as defined in people/similarity.py, (known, probes)."""
    crowds = [(each @ typical.T).max(axis=1) for each in (known, probes)]
    alike: NDArray[np.float64] = known @ probes.T + CROWD_WEIGHT * (2 - crowds[0][:, None] - crowds[1][None])
    return alike


def _decision() -> Decision:
    return Decision(0.01, 0.001, measured_curves("facegate"))


@click.command(help=__doc__)
@click.option(
    "--people",
    type=click.IntRange(min=1),
    multiple=True,
    default=PEOPLE,
    show_default=True,
    help="Number of people. Repeat the option for more.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=15,
    show_default=True,
    help="Rounds, in which both searches alternate.",
)
@click.option("--store", "kind", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True)
@click.option("--opened", "place", hidden=True)
@click.option("--in-database", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(people: tuple[int, ...], rounds: int, kind: str, place: str | None, in_database: bool, as_json: bool) -> None:
    if place is not None:
        where = place if place.startswith("postgresql:") else Path(place)
        click.echo(json.dumps(measure_start(where, in_database=in_database)))
        return
    if kind == "postgres":
        from benchmarks.postgres_gallery import measure_all

        # A figure of SQLite's default would say nothing: a million people need another search.
        click.echo(json.dumps(measure_all(POSTGRES_PEOPLE if people == PEOPLE else people, rounds)))
        return
    results = [measure(each, rounds) for each in people]
    if as_json:
        click.echo(json.dumps(results))
        return
    table = Table("people", "stock, ms", "Facegate, ms", "ratio", "memory, MB", "imported a second", "start, s")
    for each in results:
        table.add_row(f"{each['people']:,}", *(f"{value:,}" for name, value in each.items() if name != "people"))
    Console().print(table)


if __name__ == "__main__":
    main()
