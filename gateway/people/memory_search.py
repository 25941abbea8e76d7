"""The search among people in memory: one matrix with a row for each person, searched by one product."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.people.gallery_rows import MAX_COUNTED_PICTURES, Candidate, GalleryRows
from gateway.people.lookalikes import Pair
from gateway.people.similarity import Similarity
from gateway.store.records import Changes, GallerySnapshot

ROW_GROWTH_FACTOR = 1.5
"""Rows of a new matrix for each row in use, so that not every new person makes a copy of the matrix necessary."""


class MemorySearch:
    """A search in memory, as people.people_search.PeopleSearch describes it."""

    # A search takes no lock. Rows are only added and retired, never overwritten, so a search sees the rows
    # as they were at its beginning. It begins again if a row was retired meanwhile.

    compares_everybody = True

    def __init__(self, similarity: Similarity) -> None:
        self._similarity = similarity
        self._changing = threading.Lock()
        # Rows and counter-examples by the store's numbers of the people.
        self._row_of: dict[int, int] = {}
        self._accused: dict[int, NDArray[np.float32]] = {}
        no_counters = similarity.no_faces()
        self._rows = GalleryRows(self._empty_matrix(0), [], np.empty(0, np.uint8), [], no_counters, retired=0)

    def nearest(self, compared: NDArray[np.float32], limits: NDArray[np.float32]) -> list[Candidate]:
        while True:
            rows = self._rows
            found = rows.nearest(compared, limits)
            if self._rows.retired == rows.retired:
                return found

    def candidate(self, key: int, compared: NDArray[np.float32]) -> Candidate | None:
        with self._changing:
            row = self._row_of.get(key)
            return None if row is None else self._rows.candidate(row, compared)

    def template(self, key: int) -> NDArray[np.float32] | None:
        with self._changing:
            row = self._row_of.get(key)
            return None if row is None else self._rows.matrix[row].copy()

    def lookalikes(self, keys: Sequence[int], limits: NDArray[np.float32]) -> set[Pair]:
        with self._changing:
            own = [self._row_of[key] for key in keys if key in self._row_of]
            return self._rows.lookalikes(own, limits, self._similarity)

    def apply(self, changes: Changes) -> None:
        with self._changing:
            gone = [self._row_of.pop(key) for key in changes.removed_keys if key in self._row_of]
            rows, more = self._rows, len(changes.snapshot.keys)
            if len(rows.pictures) + more > len(rows.matrix):
                rows, gone = self._moved(more), []
            self._rows = now = self._with(changes.snapshot, rows, gone)
            # Nothing of a removed person stays in memory. A search that runs now sees ``retired``, and begins again.
            now.matrix[np.flatnonzero(now.pictures == 0)] = 0

    def _with(self, snapshot: GallerySnapshot, rows: GalleryRows, gone: list[int]) -> GalleryRows:
        """Return rows with the people of a snapshot, without their previous rows and the ``gone`` rows."""
        keys = snapshot.keys.tolist()
        first, end = len(rows.pictures), len(rows.pictures) + len(keys)
        rows.matrix[first:end] = self._similarity.templates(snapshot.descriptors)
        rows.people.extend(snapshot.people)
        retired = gone + [self._row_of[key] for key in keys if key in self._row_of]
        self._row_of.update(zip(keys, range(first, end), strict=True))
        pictures = np.append(rows.pictures, np.minimum(snapshot.pictures, MAX_COUNTED_PICTURES).astype(np.uint8))
        # The limit for 0 pictures is infinite, so no search names a retired row.
        pictures[retired] = 0
        accused, counters = self._accusations(snapshot)
        return GalleryRows(rows.matrix, rows.people, pictures, accused, counters, rows.retired + len(retired))

    def _moved(self, more: int) -> GalleryRows:
        """Return the rows in use, copied to arrays with room for ``more`` rows."""
        rows, here = self._rows, list(self._row_of.items())
        matrix = self._empty_matrix(len(here) + more)
        old = np.array([row for _, row in here], np.intp)
        matrix[: len(old)] = rows.matrix[old]
        self._row_of = {key: row for row, (key, _) in enumerate(here)}
        people = [rows.people[row] for row in old.tolist()]
        no_counters = self._similarity.no_faces()
        return GalleryRows(matrix, people, rows.pictures[old], [], no_counters, rows.retired + 1)

    def _empty_matrix(self, rows: int) -> NDArray[np.float32]:
        return np.zeros((int(rows * ROW_GROWTH_FACTOR) + 16, self._similarity.columns), np.float32)

    def _accusations(self, snapshot: GallerySnapshot) -> tuple[list[int], NDArray[np.float32]]:
        """Return counter-examples, (m, c), and the row of the person of each."""
        changed = set(snapshot.keys.tolist()) if self._accused else ()
        self._accused = {key: each for key, each in self._accused.items() if key in self._row_of and key not in changed}
        for key in set(snapshot.counter_keys.tolist()) & self._row_of.keys():
            self._accused[key] = self._similarity.templates(snapshot.counters[snapshot.counter_keys == key])
        rows = [self._row_of[key] for key, counters in self._accused.items() for _ in counters]
        return rows, np.concatenate([self._similarity.no_faces(), *self._accused.values()])
