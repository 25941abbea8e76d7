"""The people we know, in memory: a row for each in one matrix, searched by one product."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.errors import UnknownPerson
from gateway.model import Descriptor, Person
from gateway.people.similarity import COLUMNS, Similarity
from gateway.people.store import Changes, Roll

MOST_PICTURES = 5
"""Of a person, that the curves tell apart."""

SPARE = 1.5
"""Of the rows that are needed so many are taken, so that adding somebody does not copy everybody each time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person, how much a probe resembles the mean of their pictures (people/similarity.py), how many these are."""

    person: Person
    similarity: float
    pictures: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """The one or two people of whom a probe is most likely a picture, best first, of so many people."""

    candidates: tuple[Candidate, ...]
    people: int


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """What a search sees.

    ``matrix``: float32, (rows, COLUMNS), ready to be compared; ``pictures``: of each row's person, 0 where nobody is
    (any more). ``counters``: (m, COLUMNS), faces wrongly taken for ``accused``.
    """

    matrix: NDArray[np.float32]
    pictures: NDArray[np.uint8]
    people: list[Person]
    accused: list[int]
    counters: NDArray[np.float32]

    def nearest(self, compared: NDArray[np.float32], limits: NDArray[np.float32]) -> list[Candidate]:
        """The best two who are not ruled out."""
        rows = len(self.people)
        similarities = self.matrix[:rows] @ compared
        for row, alike in zip(self.accused, self.counters @ compared, strict=True):
            if alike >= similarities[row]:
                similarities[row] = -np.inf
        surplus = similarities - limits.take(self.pictures[:rows])
        found: list[Candidate] = []
        for _ in range(min(3, rows)):
            row = int(surplus.argmax())
            best = self._candidate(row, similarities[row])
            twice = any(best.person.slug == each.person.slug for each in found)  # who is just being changed
            if surplus[row] > -np.inf and not twice:
                found.append(best)
            surplus[row] = -np.inf
        return found[:2]

    def candidate(self, row: int, compared: NDArray[np.float32]) -> Candidate:
        similarity = self.matrix[row] @ compared
        against = self.counters[[n for n, accused in enumerate(self.accused) if accused == row]] @ compared
        return self._candidate(row, -1.0 if (against >= similarity).any() else similarity)

    def _candidate(self, row: int, similarity: float) -> Candidate:
        return Candidate(self.people[row], float(similarity), int(self.pictures[row]))


class Gallery:
    """Searched by many threads while one at a time changes it: rows are added and retired, never written anew."""

    def __init__(self, similarity: Similarity | None = None) -> None:
        """``similarity``: the plain cosine unless given."""
        self._similarity = similarity or Similarity(None)
        self._changing = threading.Lock()
        self._row_of: dict[str, int] = {}
        self._slugs: dict[int, str] = {}  # by the store's key
        self._accused: dict[str, NDArray[np.float32]] = {}  # by slug their counter-examples
        self._rows = _Rows(*self._room(0), [], [], np.empty((0, COLUMNS), np.float32))

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
            found = self._rows.nearest(compared, limits)
            if all(each.person.slug in self._row_of for each in found):  # nobody went while we searched
                return Nearest(tuple(found), len(self))

    def of(self, slug: str, probe: Descriptor) -> Candidate:
        """How much a probe resembles that person; -1 where a counter-example does as much. Raises UnknownPerson."""
        with self._changing:
            return self._rows.candidate(self._row(slug), self._similarity.probes(probe[None])[0])

    def compare(self, one: Descriptor, other: Descriptor) -> float:
        """The similarity of two faces, whoever they are."""
        return self._similarity.of(one, other)

    def similarities(self, face: Descriptor, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of one face and each of some descriptors, (n, 128)."""
        alike: NDArray[np.float32] = self._similarity.templates(templates) @ self._similarity.probes(face[None])[0]
        return alike

    def apply(self, changes: Changes) -> None:
        """From then on nobody who is gone is found, not even by a search that had begun."""
        with self._changing:
            for key in changes.gone:
                self._retire(self._forget(key))
            self._add(changes.roll)

    def _row(self, slug: str) -> int:
        if (row := self._row_of.get(slug)) is None:
            raise UnknownPerson(f"nobody with the id {slug!r} is known")
        return row

    def _forget(self, key: int) -> int | None:
        """Nobody has that key any more; gives the row that was theirs."""
        slug = self._slugs.pop(key, None)
        return None if slug is None else self._row_of.pop(slug)

    def _retire(self, row: int | None) -> None:
        if row is not None:
            self._rows.pictures[row] = 0  # its limit is infinite
            self._rows.matrix[row] = 0

    def _add(self, roll: Roll) -> None:
        rows, first = self._rows, len(self._rows.people)
        matrix, pictures, people = rows.matrix, rows.pictures, rows.people
        if first + len(roll.keys) > len(matrix):
            matrix, pictures, people = self._moved(len(roll.keys))
            first = len(people)
        end = first + len(roll.keys)
        matrix[first:end] = self._similarity.templates(roll.descriptors)
        people.extend(roll.people)  # they count from when they have pictures
        before = [self._row_of[self._slugs[key]] for key in roll.keys.tolist() if key in self._slugs]
        self._slugs.update(zip(roll.keys.tolist(), (person.slug for person in roll.people), strict=True))
        self._row_of.update((person.slug, row) for row, person in enumerate(roll.people, first))
        self._rows = _Rows(matrix, pictures, people, *self._accusations(roll))
        pictures[first:end] = np.minimum(roll.pictures, MOST_PICTURES)
        for row in before:  # only now: nobody is a stranger while they change
            self._retire(row)

    def _moved(self, more: int) -> tuple[NDArray[np.float32], NDArray[np.uint8], list[Person]]:
        """Everybody who is here, in larger arrays. Searches under way go on in the old ones."""
        rows, here = self._rows, list(self._row_of.items())
        matrix, pictures = self._room(len(here) + more)
        old = np.array([row for _, row in here], np.intp)
        matrix[: len(old)], pictures[: len(old)] = rows.matrix[old], rows.pictures[old]
        self._row_of = {slug: row for row, (slug, _) in enumerate(here)}
        return matrix, pictures, [rows.people[row] for row in old.tolist()]

    def _room(self, rows: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        wanted = int(rows * SPARE) + 16
        return np.zeros((wanted, COLUMNS), np.float32), np.zeros(wanted, np.uint8)

    def _accusations(self, roll: Roll) -> tuple[list[int], NDArray[np.float32]]:
        """The rows that there are counter-examples against, and these."""
        owners = [self._slugs.get(key) for key in roll.counter_keys.tolist()]
        changed = {person.slug for person in roll.people} if self._accused else ()
        self._accused = {
            slug: each for slug, each in self._accused.items() if slug in self._row_of and slug not in changed
        }
        for slug in {owner for owner in owners if owner}:
            self._accused[slug] = self._similarity.templates(roll.counters[[owner == slug for owner in owners]])
        rows = [self._row_of[slug] for slug, counters in self._accused.items() for _ in counters]
        return rows, np.concatenate([np.empty((0, COLUMNS), np.float32), *self._accused.values()])
