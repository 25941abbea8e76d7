"""The search among people in the database. It finds the same people as the search in memory.

The database finds the people who exceed their limits by most, in half precision, and a bound for everybody else. The
comparison is then made in memory with the vectors of these people in full precision, by the same code. If the bound
does not exclude that somebody else matters, more people are fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.people.gallery_rows import MAX_COUNTED_PICTURES, Candidate, GalleryRows
from gateway.people.lookalikes import Pair
from gateway.people.people_directory import PeopleDirectory
from gateway.people.similarity import Similarity
from gateway.store.protocols.search_vectors import SearchVectors
from gateway.store.records import Changes, GallerySnapshot

FIRST_COUNT = 32
"""People that the database returns at first. Nearly all searches need no more."""

GROWTH_FACTOR = 8
"""People of the next query for each one of the query before."""

MAX_KNOWN_PEOPLE = 1_000
"""People whose vectors stay in memory until the next change of people: one face is compared with a person often."""


class Excludes(Protocol):
    """A condition under which nobody matters who exceeds the limit by less than a bound."""

    def __call__(self, rows: GalleryRows, bound: float) -> bool: ...


class DatabaseSearch:
    """A search in the database, as people.people_search.PeopleSearch describes it."""

    compares_everybody = False

    def __init__(self, vectors: SearchVectors, similarity: Similarity, directory: PeopleDirectory) -> None:
        """``directory``: the people whom a search may find. Others were removed, or are not known here yet."""
        self._vectors = vectors
        self._similarity = similarity
        self._directory = directory
        self._changing = threading.Lock()
        self._known: dict[int, GalleryRows] = {}
        self._changes = 0

    def nearest(self, compared: NDArray[np.float32], limits: NDArray[np.float32]) -> list[Candidate]:
        def is_enough(rows: GalleryRows, bound: float) -> bool:
            return rows.are_nearest(compared, limits, bound)

        while True:
            found = self._fetch(compared, limits, is_enough).nearest(compared, limits)
            # Somebody may have been removed meanwhile.
            if all(each.person.slug in self._directory for each in found):
                return found

    def candidate(self, key: int, compared: NDArray[np.float32]) -> Candidate | None:
        rows = self._person(key)
        # The person may have been removed meanwhile.
        return rows.candidate(0, compared) if rows.people and self._directory.find(key) is not None else None

    def template(self, key: int) -> NDArray[np.float32] | None:
        rows = self._person(key)
        return rows.matrix[0] if rows.people else None

    def lookalikes(self, keys: Sequence[int], limits: NDArray[np.float32]) -> set[Pair]:
        return {pair for key in keys for pair in self._lookalikes(key, limits)}

    def apply(self, changes: Changes) -> None:
        with self._changing:
            self._known = {}
            self._changes += 1

    def _lookalikes(self, key: int, limits: NDArray[np.float32]) -> set[Pair]:
        if not (own := self._person(key)).people:
            return set()
        # One of the two has to reach the limit of the other.
        lower = np.minimum(limits, limits[own.pictures[0]])
        lower[0] = np.inf
        probe = self._similarity.as_probes(own.matrix)[0]
        rows = self._fetch(probe, lower, lambda _rows, bound: bound < 0, [key])
        places = [place for place, person in enumerate(rows.people) if person == self._directory.find(key)]
        return rows.lookalikes(places, limits, self._similarity)

    def _fetch(
        self,
        compared: NDArray[np.float32],
        limits: NDArray[np.float32],
        is_enough: Excludes,
        also: Collection[int] = (),
    ) -> GalleryRows:
        """Return the rows of all people who may matter, and of some others."""
        probe, bonus = self._similarity.split(compared)
        count = FIRST_COUNT
        while True:
            found = self._vectors.find(probe, limits - bonus, count, also)
            rows = self._rows(found.snapshot)
            if is_enough(rows, found.bound):
                return rows
            count *= GROWTH_FACTOR

    def _person(self, key: int) -> GalleryRows:
        """Return one row, or none if the person is not known."""
        with self._changing:
            known, changes = self._known.get(key), self._changes
        if known is not None:
            return known
        rows = self._rows(self._vectors.read(key))
        with self._changing:
            # People that were read before a change must not stay.
            if changes == self._changes:
                if len(self._known) >= MAX_KNOWN_PEOPLE:
                    self._known = {}
                self._known[key] = rows
        return rows

    def _rows(self, snapshot: GallerySnapshot) -> GalleryRows:
        """Return the rows of people in a snapshot, without those whom the directory does not have."""
        keys = snapshot.keys.tolist()
        people = {key: person for key in keys if (person := self._directory.find(key)) is not None}
        kept = np.array([key in people for key in keys], bool)
        place_of = {key: place for place, key in enumerate(people)}
        owners = snapshot.counter_keys.tolist()
        counters = np.array([key in people for key in owners], bool)
        return GalleryRows(
            self._similarity.templates(snapshot.descriptors[kept]),
            list(people.values()),
            np.minimum(snapshot.pictures[kept], MAX_COUNTED_PICTURES).astype(np.uint8),
            [place_of[key] for key in owners if key in people],
            self._similarity.templates(snapshot.counters[counters]),
            retired=0,
        )
