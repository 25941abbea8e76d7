"""The random people of the benchmarks of large galleries, and stores and galleries with them.

A person is 128 random numbers. The people are the same at each call, and are made in batches.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from gateway.model import Person
from gateway.model.caller import CLI_CALLER
from gateway.people.database_search import DatabaseSearch
from gateway.people.gallery import Gallery
from gateway.people.similarity import Similarity, typical_faces
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.records import ExportedPerson, Picture, StoredFace
from gateway.store.sqlite.store import SqliteStore

BATCH_PEOPLE = 1_000
"""People that are created and imported at a time, so that they are never all in memory."""

RECIPE = "random"
PROBES = 8
"""Probes that are also searched by brute force. Half are noisy pictures of enrolled people, half are strangers."""

Vectors = NDArray[np.float32]
Item = TypeVar("Item")


def batches(people: int) -> Iterator[Vectors]:
    """Yield descriptors in batches of BATCH_PEOPLE. They are the same at each call."""
    for first in range(0, people, BATCH_PEOPLE):
        yield _unit(np.random.default_rng([0, first]), BATCH_PEOPLE)[: people - first]


def faces(people: int) -> Vectors:
    """Return the probes."""
    random = np.random.default_rng(1)
    known = next(batches(people))
    seen = known[random.integers(0, len(known), PROBES // 2)] + 0.7 * _unit(random, PROBES // 2)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    return np.concatenate([seen, _unit(random, PROBES - len(seen))]).astype(np.float32)


def open_store(place: Path | str, people: int = PeopleLimits().people) -> Store:
    """Open the store in a file, or at an address of PostgreSQL, for so many people."""
    limits = PeopleLimits(people=people, enrolments_per_hour=1_000_000)
    if isinstance(place, Path):
        return SqliteStore(place, limits=limits)
    # The extra postgres may not be installed.
    from gateway.store.postgres.opening import open_store as open_postgres

    return open_postgres(place, Cipher(None), limits)


def fill(place: Path | str, people: int) -> float:
    """Fill a new store, and return the imported people per second."""
    begun = time.perf_counter()
    with closing(open_store(place, people)) as store:
        made = shown(batches(people), f"{people} people imported", -(-people // BATCH_PEOPLE))
        for number, descriptors in enumerate(made):
            store.archive.import_people(_portables(descriptors, number * BATCH_PEOPLE), CLI_CALLER)
    return people / (time.perf_counter() - begun)


def open_gallery(place: Path | str) -> tuple[Store, Gallery]:
    """Load the gallery like the gateway at its start (people/wiring.py)."""
    store, gallery, revision = open_store(place), Gallery(Similarity(typical_faces())), 0
    # The store returns the changes in portions.
    while store.faces.revision() != revision:
        changes = store.faces.changes(revision, RECIPE)
        gallery.apply(changes)
        revision = changes.revision
    return store, gallery


def open_database_gallery(url: str) -> tuple[Store, Gallery]:
    """Load the gallery like a gateway with ``gallery.in_memory: 0`` (people/large_gallery.py)."""
    # The extra postgres may not be installed.
    from gateway.store.postgres.opening import open_search_vectors

    store, gallery, revision = open_store(url), Gallery(Similarity(typical_faces())), 0
    similarity = gallery.similarity
    vectors = open_search_vectors(
        url, store, recipe=RECIPE, correct=similarity.correction, correction=similarity.fingerprint
    )
    vectors.fill()
    gallery.search_with(DatabaseSearch(vectors, similarity, gallery.directory))
    while store.faces.revision() != revision:
        changes = vectors.changes(revision)
        gallery.apply(changes)
        revision = changes.revision
    return store, gallery


def _unit(random: np.random.Generator, count: int) -> Vectors:
    vectors = random.standard_normal((count, 128), np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _portables(descriptors: Vectors, first: int) -> Iterator[ExportedPerson]:
    for number, descriptor in enumerate(descriptors, first):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        picture = Picture(digest, "import", RECIPE, StoredFace(descriptor, None))
        yield ExportedPerson(Person("", f"Person {number}"), [picture], [time.time()])


def shown(items: Iterable[Item], title: str, total: int) -> Iterable[Item]:
    """Return the items, and show the progress on a terminal."""
    return track(items, title, total, console=Console(stderr=True), disable=not sys.stderr.isatty())
