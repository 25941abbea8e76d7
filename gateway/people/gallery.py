"""The people we know, in memory: a row for each in one matrix, searched by one product."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.errors import UnknownPerson
from gateway.model import Descriptor, Person
from gateway.people.similarity import COLUMNS, Similarity
from gateway.store.protocols import Changes, GallerySnapshot

MAX_COUNTED_PICTURES = 5
"""Of a person, that the curves tell apart."""

MAX_CANDIDATES = 5
"""People whom one face may show: more than two are of use only to whoever cleans up doubles."""

ROW_GROWTH_FACTOR = 1.5
"""Of the rows that are needed so many are taken, so that adding somebody does not copy everybody each time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person, how much a probe resembles the mean of their pictures (people/similarity.py), how many these are."""

    person: Person
    similarity: float
    pictures: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """The two people of whom a probe is most likely a picture, best first, of so many people; after them everybody else
    who reaches their limit, up to MAX_CANDIDATES.
    """

    candidates: tuple[Candidate, ...]
    people: int


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """What a search sees. The matrix and the list go on growing behind it, the rest is its own.

    ``matrix``: float32, (rows and spare ones, COLUMNS), ready to be compared; ``pictures``: uint8, (rows,), of each
    row's person, 0 where nobody is any more. ``counters``: (m, COLUMNS), faces wrongly taken for ``accused``.
    ``retired``: how many rows have been retired since the start.
    """

    matrix: NDArray[np.float32]
    people: list[Person]
    pictures: NDArray[np.uint8]
    accused: list[int]
    counters: NDArray[np.float32]
    retired: int

    def nearest(self, compared: NDArray[np.float32], limits: NDArray[np.float32]) -> list[Candidate]:
        """Those who are not ruled out, as Nearest wants them."""
        rows = len(self.pictures)
        similarities = self.matrix[:rows] @ compared
        for row, alike in zip(self.accused, self.counters @ compared, strict=True):
            if alike >= similarities[row]:
                similarities[row] = -np.inf
        surplus = similarities - limits.take(self.pictures)
        found: list[Candidate] = []
        for place in range(min(MAX_CANDIDATES, rows)):
            row = int(surplus.argmax())
            # The best two tell the margin, whether they pass or not.
            if surplus[row] == -np.inf or (place >= 2 and surplus[row] < 0):
                break
            found.append(self._candidate(row, similarities[row]))
            surplus[row] = -np.inf
        return found

    def candidate(self, row: int, compared: NDArray[np.float32]) -> Candidate:
        similarity = self.matrix[row] @ compared
        against = self.counters[[n for n, accused in enumerate(self.accused) if accused == row]] @ compared
        return self._candidate(row, -1.0 if (against >= similarity).any() else similarity)

    def _candidate(self, row: int, similarity: float) -> Candidate:
        return Candidate(self.people[row], float(similarity), int(self.pictures[row]))


class Gallery:
    """Searched by many threads while one at a time changes it: rows are added and retired, never written anew.

    A search takes no lock: it sees the rows as they stood when it began, and begins again if one was retired meanwhile.
    """

    def __init__(self, similarity: Similarity | None = None) -> None:
        """``similarity``: the plain cosine unless given."""
        self._similarity = similarity or Similarity(None)
        self._changing = threading.Lock()
        self._row_of: dict[str, int] = {}
        self._slugs: dict[int, str] = {}  # by the store's key
        self._accused: dict[str, NDArray[np.float32]] = {}  # by slug their counter-examples
        no_counters = np.empty((0, COLUMNS), np.float32)
        self._rows = _Rows(self._room(0), [], np.empty(0, np.uint8), [], no_counters, retired=0)

    def __contains__(self, slug: str) -> bool:
        return slug in self._row_of

    def __len__(self) -> int:
        return len(self._row_of)

    def person(self, slug: str) -> Person:
        """Raises UnknownPerson."""
        with self._changing:
            return self._rows.people[self._row(slug)]

    def nearest(self, probe: Descriptor, limits: NDArray[np.float32]) -> Nearest:
        """``limits``: for 0 to MOST_PICTURES pictures the similarity from which a face is named (decision.limits).

        Who surpasses that by most is the best; who resembles a counter-example as much as the person is not them.
        """
        compared = self._similarity.probes(probe[None])[0]
        while True:
            rows = self._rows
            found = rows.nearest(compared, limits)
            if self._rows.retired == rows.retired:
                return Nearest(tuple(found), len(self))

    def compare_person(self, slug: str, probe: Descriptor) -> Candidate:
        """How much a probe resembles that person; -1 where a counter-example does as much. Raises UnknownPerson."""
        with self._changing:
            return self._rows.candidate(self._row(slug), self._similarity.probes(probe[None])[0])

    def compare(self, one: Descriptor, other: Descriptor) -> float:
        """The similarity of two faces, whoever they are."""
        return self._similarity.compare(one, other)

    def similarities(self, face: Descriptor, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of one face and each of some descriptors, (n, 128)."""
        alike: NDArray[np.float32] = self._similarity.templates(templates) @ self._similarity.probes(face[None])[0]
        return alike

    def slugs(self) -> list[str]:
        return list(self._row_of)

    def by_age(self) -> dict[str, int]:
        """Each id with a number that is less for whoever was created earlier."""
        with self._changing:
            return {slug: key for key, slug in self._slugs.items()}

    def lookalikes(self, slugs: Sequence[str], limits: NDArray[np.float32]) -> set[tuple[str, str]]:
        """Pairs of ids, each in order: of these people and everybody, those of whom one passes for the other.

        ``limits`` as in ``nearest``. Whoever is told apart by a counter-example is no such pair.
        """
        with self._changing:
            rows = self._rows
            own = np.array([self._row_of[slug] for slug in slugs if slug in self._row_of], np.intp)
            known = len(rows.pictures)
            matrix = rows.matrix[:known]
            similarities = self._similarity.as_probes(matrix[own]) @ matrix.T
            for accused, counter in zip(rows.accused, self._similarity.as_probes(rows.counters), strict=True):
                alike = matrix @ counter
                similarities[own == accused] = np.where(
                    alike >= similarities[own == accused], -np.inf, similarities[own == accused]
                )
                similarities[:, accused] = np.where(
                    alike[own] >= similarities[:, accused], -np.inf, similarities[:, accused]
                )
            limit = limits.take(rows.pictures)
            # A row without pictures is of nobody any more, and everybody resembles themselves.
            similarities[:, rows.pictures == 0] = -np.inf
            similarities[np.arange(len(own)), own] = -np.inf
            found = np.argwhere(similarities >= np.minimum(limit, limit[own][:, None]))
            ids = [(rows.people[own[one]].slug, rows.people[other].slug) for one, other in found.tolist()]
        return {(min(pair), max(pair)) for pair in ids}

    def apply(self, changes: Changes) -> None:
        """From then on nobody who is gone is found, not even by a search that had begun."""
        with self._changing:
            gone = [self._row_of.pop(self._slugs.pop(key)) for key in changes.gone if key in self._slugs]
            rows, more = self._rows, len(changes.roll.keys)
            if len(rows.pictures) + more > len(rows.matrix):
                rows, gone = self._moved(more), []
            self._rows = now = self._with(changes.roll, rows, gone)
            now.matrix[np.flatnonzero(now.pictures == 0)] = 0  # nothing of them stays; searches see it, and begin again

    def _row(self, slug: str) -> int:
        if (row := self._row_of.get(slug)) is None:
            raise UnknownPerson(f"nobody with the id {slug!r} is known")
        return row

    def _with(self, snapshot: GallerySnapshot, rows: _Rows, gone: list[int]) -> _Rows:
        """With those on the roll, and without the rows that they had before and those that are ``gone``."""
        keys = snapshot.keys.tolist()
        first, end = len(rows.pictures), len(rows.pictures) + len(keys)
        rows.matrix[first:end] = self._similarity.templates(snapshot.descriptors)
        rows.people.extend(snapshot.people)
        retired = gone + [self._row_of[self._slugs[key]] for key in keys if key in self._slugs]
        self._slugs.update(zip(keys, (person.slug for person in snapshot.people), strict=True))
        self._row_of.update((person.slug, row) for row, person in enumerate(snapshot.people, first))
        pictures = np.append(rows.pictures, np.minimum(snapshot.pictures, MAX_COUNTED_PICTURES).astype(np.uint8))
        pictures[retired] = 0  # their limit is infinite
        accused, counters = self._accusations(snapshot)
        return _Rows(rows.matrix, rows.people, pictures, accused, counters, rows.retired + len(retired))

    def _moved(self, more: int) -> _Rows:
        """Everybody who is here, in larger arrays."""
        rows, here = self._rows, list(self._row_of.items())
        matrix = self._room(len(here) + more)
        old = np.array([row for _, row in here], np.intp)
        matrix[: len(old)] = rows.matrix[old]
        self._row_of = {slug: row for row, (slug, _) in enumerate(here)}
        people = [rows.people[row] for row in old.tolist()]
        no_counters = np.empty((0, COLUMNS), np.float32)
        return _Rows(matrix, people, rows.pictures[old], [], no_counters, rows.retired + 1)

    def _room(self, rows: int) -> NDArray[np.float32]:
        return np.zeros((int(rows * ROW_GROWTH_FACTOR) + 16, COLUMNS), np.float32)

    def _accusations(self, snapshot: GallerySnapshot) -> tuple[list[int], NDArray[np.float32]]:
        """The rows that there are counter-examples against, and these."""
        owners = [self._slugs.get(key) for key in snapshot.counter_keys.tolist()]
        changed = {person.slug for person in snapshot.people} if self._accused else ()
        self._accused = {
            slug: each for slug, each in self._accused.items() if slug in self._row_of and slug not in changed
        }
        for slug in {owner for owner in owners if owner}:
            self._accused[slug] = self._similarity.templates(snapshot.counters[[owner == slug for owner in owners]])
        rows = [self._row_of[slug] for slug, counters in self._accused.items() for _ in counters]
        return rows, np.concatenate([np.empty((0, COLUMNS), np.float32), *self._accused.values()])
