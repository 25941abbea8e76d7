"""The pages of ``GET /api/v1/people`` with many people: ``python -m benchmarks.people_pages [--people N] [--json]``.

A store is filled with people who have pictures with chips, as after enrolments. A gateway is started on it as in
production. Then a client with one connection reads all pages, one after the other, and those of a search. The time of a
page ends with its last byte. ``cpu_ms_a_page``: the processor time of the gateway's main process for a page.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click
import numpy as np

from benchmarks.gateway import run_gateway
from benchmarks.processor_time import processor_ms
from gateway.model import Person
from gateway.model.caller import CLI_CALLER
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.records import ExportedPerson, Picture, StoredFace
from gateway.store.sqlite import open_store
from gateway.vision.engines.registry import ENGINES

CHIPS_BYTES = 22_000
"""Bytes of the chips of a usual face."""

PEOPLE_AT_ONCE = 500

SEARCHED = "son 1"
"""A text that is in one of nine names."""

TIMEOUT_S = 60.0


def fill(data: Path, people: int, pictures: int, chips: bytes | None = None) -> None:
    """Fill a new store with people who have so many pictures each. ``chips``: of each, by default random bytes."""
    data.mkdir(mode=0o700, parents=True)
    random = np.random.default_rng(1)
    with closing(open_store(data, Cipher(None), PeopleLimits(people=people))) as store:
        for first in range(0, people, PEOPLE_AT_ONCE):
            numbers = range(first, min(first + PEOPLE_AT_ONCE, people))
            store.archive.import_people(_people(numbers, pictures, random, chips), CLI_CALLER)


def _people(
    numbers: range, pictures: int, random: np.random.Generator, chips: bytes | None
) -> Iterator[ExportedPerson]:
    for number in numbers:
        own = [_picture(f"{number}/{n}", random, chips) for n in range(pictures)]
        yield ExportedPerson(Person("", f"Person {number}"), own, [time.time()] * pictures)


def _picture(name: str, random: np.random.Generator, chips: bytes | None) -> Picture:
    vector = random.standard_normal(128, np.float32)
    face = StoredFace(vector / np.linalg.norm(vector), chips or random.bytes(CHIPS_BYTES))
    return Picture(hashlib.sha256(name.encode()).hexdigest(), "import", ENGINES["facegate"].recipe, face)


class PageReader:
    """A client that reads pages over one connection."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def read(self, **query: object) -> tuple[dict[str, Any], float]:
        """Return a page and the milliseconds until its last byte."""
        begun = time.perf_counter()
        self._connection.request("GET", f"/api/v1/people?{urlencode(query)}")
        answer = self._connection.getresponse()
        content = answer.read()
        taken = 1000 * (time.perf_counter() - begun)
        if answer.status != 200:
            raise click.ClickException(f"The gateway answers {answer.status}: {content.decode()}")
        page: dict[str, Any] = json.loads(content)
        return page, taken

    def read_all(self, **query: object) -> tuple[int, list[float]]:
        """Return the number of people on all pages, and the milliseconds of each page."""
        count, taken, after = 0, [], ""
        while after is not None:
            page, ms = self.read(after=after, **query)
            count += len(page["people"])
            taken.append(ms)
            after = page["next"]
        return count, taken


def summary(taken: Sequence[float]) -> dict[str, float]:
    return {
        "pages": len(taken),
        "p50_ms": round(statistics.median(taken), 1),
        "p95_ms": round(statistics.quantiles(taken, n=20)[-1], 1),
        "worst_ms": round(max(taken), 1),
    }


def measure(people: int, pictures: int, limit: int, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="facegate-people-") as folder:
        data = Path(folder) / "data"
        fill(data, people, pictures)
        settings = {"FACEGATE_DATA": str(data), "FACEGATE_PEOPLE__MOST": str(people), "FACEGATE_PEOPLE__FOLDER": folder}
        with run_gateway(1, settings) as gateway:
            reader = PageReader(gateway.rest_port)
            # This opens the connection and fills caches.
            reader.read(limit=limit)
            before = processor_ms(gateway.processes["gateway"])
            all_pages: list[float] = []
            searched: list[float] = []
            for _ in range(rounds):
                count, taken = reader.read_all(limit=limit)
                if count != people:
                    raise click.ClickException(f"The pages have {count} people, not {people}.")
                all_pages += taken
                searched += reader.read_all(limit=limit, search=SEARCHED)[1]
            used = processor_ms(gateway.processes["gateway"]) - before
    return {
        "people": people,
        "pictures_a_person": pictures,
        "limit": limit,
        "all": summary(all_pages),
        "search": summary(searched),
        "cpu_ms_a_page": round(used / (len(all_pages) + len(searched)), 1),
    }


@click.command(help=__doc__)
@click.option("--people", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--pictures", type=click.IntRange(min=1), default=3, show_default=True, help="Of each person.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="People of a page.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(people: int, pictures: int, limit: int, rounds: int, as_json: bool) -> None:
    found = measure(people, pictures, limit, rounds)
    if as_json:
        click.echo(json.dumps(found))
        return
    for name in ("all", "search"):
        click.echo(f"{name}: {', '.join(f'{figure} {value}' for figure, value in found[name].items())}")
    click.echo(f"processor time of a page: {found['cpu_ms_a_page']} ms")


if __name__ == "__main__":
    main()
