"""Searching many people, and keeping them: ``python -m benchmarks.gallery [--people N …] [--json]``.

Stock is what programs do with face_recognition: ``face_distance`` to everybody in one array, and the least of it. Ours
is the gateway's own search, with the limits that it decides by. Both look for the same faces among the same people, one
thread each, in turn: machines are noisy, and what slows one down slows the other too. The figures are medians over the
rounds. Before, the answers to some probes are compared with those of brute force: a search that is fast because it
misses somebody would be worth nothing.

The people come into a store as from an archive and out of it as when the gateway starts, the latter in a process of its
own: how long that takes, and what memory it then has. They look like nobody: 128 random numbers each.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # read when numpy is loaded

import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gateway.model import Descriptor, Person
from gateway.model.caller import CLI_CALLER
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.similarity import CROWD_WEIGHT, Similarity, typical_faces
from gateway.store.limits import PeopleLimits
from gateway.store.records import ExportedPerson, Picture, StoredFace
from gateway.store.sqlite.store import SqliteStore

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = (1_000, 100_000, 1_000_000)
BATCH = 1_000
"""People that are made, and imported, at a time: at no moment all of them are in memory."""

RECIPE = "random"
PROBES = 8
"""That brute force looks for too. Half are pictures of somebody, noisy ones, half are strangers."""

LAP = 100_000
"""Rows a lap: of few people several searches are timed at once."""

MOST = 100
"""Searches a lap."""

ROUNDING = 1e-5
"""What float32 and float64 may differ by."""

Vectors = NDArray[np.float32]
Search = Callable[[Descriptor], object]
Item = TypeVar("Item")


def batches(people: int) -> Iterator[Vectors]:
    """Descriptors, BATCH people at a time and the same each time."""
    for start in range(0, people, BATCH):
        yield _unit(np.random.default_rng([0, start]), BATCH)[: people - start]


def faces(people: int) -> Vectors:
    """To look for."""
    random = np.random.default_rng(1)
    known = next(batches(people))
    seen = known[random.integers(0, len(known), PROBES // 2)] + 0.7 * _unit(random, PROBES // 2)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    return np.concatenate([seen, _unit(random, PROBES - len(seen))]).astype(np.float32)


def fill(path: Path, people: int) -> float:
    """People a second that a store in a new file takes."""
    begun = time.perf_counter()
    with closing(SqliteStore(path, limits=PeopleLimits(people=people))) as store:
        shown = _shown(batches(people), f"{people} people imported", -(-people // BATCH))
        for number, descriptors in enumerate(shown):
            store.archive.import_people(_portables(descriptors, number * BATCH), CLI_CALLER)
    return people / (time.perf_counter() - begun)


def opened(path: Path) -> tuple[SqliteStore, Gallery]:
    """As the gateway does when it starts (people/opening.py)."""
    store, gallery, revision = SqliteStore(path), Gallery(Similarity(typical_faces())), 0
    while store.faces.revision() != revision:  # as Registry.follow, some people at a time
        changes = store.faces.changes(revision, RECIPE)
        gallery.apply(changes)
        revision = changes.revision
    return store, gallery


def start(path: Path) -> dict[str, float]:
    """In a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.gallery", "--opened", str(path)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def started(path: Path) -> dict[str, float]:
    begun = time.perf_counter()
    store, gallery = opened(path)
    taken = time.perf_counter() - begun
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    assert len(gallery)  # and is not thrown away before memory is measured
    store.close()
    return {"start_s": taken, "rss_mb": int(status["VmRSS"].split()[0]) * 1024 / 1e6}


def check(gallery: Gallery, people: int, probes: Vectors) -> None:
    """That those who are found are the two most alike of all, by another computation with numbers twice as long."""
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
            best = similarities[right]  # somebody else may be found who is as much alike but for the rounding
            assert similarities[row] > best - ROUNDING, f"{row} was found, and {right} is more alike"
            assert abs(each.similarity - best) < ROUNDING, f"{right} is alike by {best}, not {each.similarity}"


def stock(people: int) -> Search:
    from gateway.vision.engines.stock import api  # half a second, and 100 MB of models: not where memory is measured

    known = np.empty((people, 128))
    for number, descriptors in enumerate(batches(people)):
        known[number * BATCH : (number + 1) * BATCH] = descriptors
    return lambda probe: np.argmin(api.face_distance(known, probe.astype(np.float64)))


def facegate(gallery: Gallery) -> Search:
    decision = _decision()
    return lambda probe: gallery.nearest(probe, decision.similarity_limits(len(gallery)))


def searched(gallery: Gallery, people: int, rounds: int) -> tuple[float, float]:
    """Milliseconds a search of stock and of ours."""
    probes = faces(people)
    searches = stock(people), facegate(gallery)
    for search in searches:
        search(probes[0])
    count = min(max(LAP // people, 1), MOST)
    laps = []
    for number in _shown(range(rounds), f"{people} people searched", rounds):
        looked_for = [probes[(number + n) % PROBES] for n in range(count)]
        laps.append([lap_ms(search, looked_for) for search in searches])
    theirs, ours = zip(*laps, strict=True)
    return statistics.median(theirs), statistics.median(ours)


def lap_ms(search: Search, probes: Sequence[Descriptor]) -> float:
    begun = time.perf_counter()
    for probe in probes:
        search(probe)
    return 1000 * (time.perf_counter() - begun) / len(probes)


def measure(people: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="facegate-") as folder:
        path = Path(folder) / "people.sqlite"
        import_per_s = fill(path, people)
        begun = start(path)
        store, gallery = opened(path)
        store.close()
    check(gallery, people, faces(people))
    stock_ms, facegate_ms = searched(gallery, people, rounds)
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
    """Not so many after the point: on a slow machine that may be nothing but zeros."""
    rounded = float(f"{value:.3g}")
    return int(rounded) if rounded.is_integer() else rounded


def _unit(random: np.random.Generator, count: int) -> Vectors:
    vectors = random.standard_normal((count, 128), np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _portables(descriptors: Vectors, first: int) -> Iterator[ExportedPerson]:
    for number, descriptor in enumerate(descriptors, first):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        picture = Picture(digest, "import", RECIPE, StoredFace(descriptor, None))
        yield ExportedPerson(Person("", f"Person {number}"), [picture], [time.time()])


def _alike(known: NDArray[np.float64], probes: Vectors, typical: NDArray[np.float64]) -> NDArray[np.float64]:
    """As people/similarity.py defines it, (known, probes)."""
    crowds = [(each @ typical.T).max(axis=1) for each in (known, probes)]
    alike: NDArray[np.float64] = known @ probes.T + CROWD_WEIGHT * (2 - crowds[0][:, None] - crowds[1][None])
    return alike


def _decision() -> Decision:
    return Decision(0.01, 0.001, measured_curves("facegate"))


def _shown(items: Iterable[Item], title: str, total: int) -> Iterable[Item]:
    return track(items, title, total, console=Console(stderr=True), disable=not sys.stderr.isatty())


@click.command(help=__doc__)
@click.option(
    "--people", type=click.IntRange(min=1), multiple=True, default=PEOPLE, show_default=True, help="Repeat for more."
)
@click.option(
    "--rounds", type=click.IntRange(min=1), default=15, show_default=True, help="In which the two take turns."
)
@click.option("--opened", "path", type=click.Path(exists=True, path_type=Path), hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else.")
def main(people: tuple[int, ...], rounds: int, path: Path | None, as_json: bool) -> None:
    if path is not None:
        click.echo(json.dumps(started(path)))
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
