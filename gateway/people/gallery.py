"""Gallery of enrolled people in memory: one matrix with a row for each person, searched by one product."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import Descriptor, Person
from gateway.model.names import unknown_person_error
from gateway.people.gallery_rows import Candidate, GalleryRows
from gateway.people.similarity import Similarity
from gateway.store.records import Changes, GallerySnapshot

MAX_COUNTED_PICTURES = 5
"""Pictures of one person that count. The curves do not distinguish larger numbers."""

ROW_GROWTH_FACTOR = 1.5
"""Rows of a new matrix for each row in use, so that not every new person makes a copy of the matrix necessary."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """Result of a search among ``people`` people.

    ``candidates``: the two most likely people, best first, then others who reach their limit, up to MAX_CANDIDATES.
    """

    candidates: tuple[Candidate, ...]
    people: int


class Gallery:
    """Enrolled people. Many threads search them, while one thread at a time changes them."""

    # A search takes no lock. Rows are only added and retired, never overwritten, so a search sees the rows
    # as they were at its beginning. It begins again if a row was retired meanwhile.

    def __init__(self, similarity: Similarity | None = None) -> None:
        """``similarity``: by default the plain cosine of descriptors of dlib's network."""
        self._similarity = similarity or Similarity(None)
        self._changing = threading.Lock()
        self.changes = 0
        self._row_of: dict[str, int] = {}
        self._names: dict[str, str] = {}
        # Ids of people by the store's key, and counter-examples by id.
        self._slugs: dict[int, str] = {}
        self._accused: dict[str, NDArray[np.float32]] = {}
        no_counters = self._similarity.no_faces()
        self._rows = GalleryRows(self._empty_matrix(0), [], np.empty(0, np.uint8), [], no_counters, retired=0)

    def __contains__(self, slug: str) -> bool:
        return slug in self._row_of

    def __len__(self) -> int:
        return len(self._row_of)

    def person(self, slug: str) -> Person:
        """Return the person with this id. Raises UnknownPerson."""
        with self._changing:
            return self._rows.people[self._row(slug)]

    def find_name(self, slug: str) -> str | None:
        """Return the name of the person with this id, or None if nobody has it. This never waits."""
        return self._names.get(slug)

    def nearest(self, probe: Descriptor, limits: NDArray[np.float32]) -> Nearest:
        """Return the people that a probe, (d,), most likely shows.

        ``limits``: ``Decision.similarity_limits``. The best candidate exceeds the limit by most. A probe that is at
        least as similar to a counter-example of a person as to that person excludes the person.
        """
        compared = self._similarity.probes(probe[None])[0]
        while True:
            rows = self._rows
            found = rows.nearest(compared, limits)
            if self._rows.retired == rows.retired:
                return Nearest(tuple(found), len(self))

    def compare_person(self, slug: str, probe: Descriptor) -> Candidate:
        """Return the similarity of a probe, (d,), to one person.

        The similarity is -1 if a counter-example is at least as similar. Raises UnknownPerson.
        """
        with self._changing:
            return self._rows.candidate(self._row(slug), self._similarity.probes(probe[None])[0])

    def closest_to(self, slug: str, limits: NDArray[np.float32]) -> Candidate | None:
        """Return the other person who resembles a person most, or None if there is nobody else.

        ``limits`` as for ``nearest``. Raises UnknownPerson.
        """
        with self._changing:
            rows, own = self._rows, self._row(slug)
            found = rows.nearest(self._similarity.as_probes(rows.matrix[own][None])[0], limits)
        return next((each for each in found if each.person.slug != slug), None)

    def compare_people(self, one: str, other: str) -> Candidate:
        """Return the similarity of the mean of one person's pictures to another person. Raises UnknownPerson."""
        with self._changing:
            rows = self._rows
            probe = self._similarity.as_probes(rows.matrix[self._row(one)][None])[0]
            return rows.candidate(self._row(other), probe)

    def compare(self, one: Descriptor, other: Descriptor) -> float:
        """Return the similarity of two descriptors, (d,) each."""
        return self._similarity.compare(one, other)

    def similarities(self, face: Descriptor, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the similarity, (n,), of one face and each of some descriptors, (n, d)."""
        alike: NDArray[np.float32] = self._similarity.templates(templates) @ self._similarity.probes(face[None])[0]
        return alike

    def people(self) -> dict[str, Person]:
        """Return all people by their ids."""
        with self._changing:
            return {slug: self._rows.people[row] for slug, row in self._row_of.items()}

    def by_age(self) -> dict[str, int]:
        """Return by id a number that is smaller for a person who was enrolled earlier."""
        with self._changing:
            return {slug: key for key, slug in self._slugs.items()}

    def lookalikes(self, slugs: Sequence[str], limits: NDArray[np.float32]) -> set[tuple[str, str]]:
        """Return pairs of people that look alike: one of these people, and any other person.

        ``limits`` as for ``nearest``. The ids in a pair are in alphabetical order. A counter-example that distinguishes
        two people prevents their pair.
        """
        with self._changing:
            rows = self._rows
            own = np.array([self._row_of[slug] for slug in slugs if slug in self._row_of], np.intp)
            matrix = rows.matrix[: len(rows.pictures)]
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
            # Rows without pictures are not in use, and each person is similar to themselves.
            similarities[:, rows.pictures == 0] = -np.inf
            similarities[np.arange(len(own)), own] = -np.inf
            found = np.argwhere(similarities >= np.minimum(limit, limit[own][:, None]))
            ids = [(rows.people[own[one]].slug, rows.people[other].slug) for one, other in found.tolist()]
        return {(min(pair), max(pair)) for pair in ids}

    def apply(self, changes: Changes) -> None:
        """Apply changes of the store. No search finds a removed person when this returns, even if it began before."""
        with self._changing:
            removed = [self._slugs.pop(key) for key in changes.removed_keys if key in self._slugs]
            gone = [self._row_of.pop(slug) for slug in removed]
            for slug in removed:
                del self._names[slug]
            rows, more = self._rows, len(changes.snapshot.keys)
            if len(rows.pictures) + more > len(rows.matrix):
                rows, gone = self._moved(more), []
            self._rows = now = self._with(changes.snapshot, rows, gone)
            # Nothing of a removed person stays in memory. A search that runs now sees ``retired``, and begins again.
            now.matrix[np.flatnonzero(now.pictures == 0)] = 0
            self.changes += 1

    def _row(self, slug: str) -> int:
        if (row := self._row_of.get(slug)) is None:
            raise unknown_person_error(slug)
        return row

    def _with(self, snapshot: GallerySnapshot, rows: GalleryRows, gone: list[int]) -> GalleryRows:
        """Return rows with the people of a snapshot, without their previous rows and the ``gone`` rows."""
        keys = snapshot.keys.tolist()
        first, end = len(rows.pictures), len(rows.pictures) + len(keys)
        rows.matrix[first:end] = self._similarity.templates(snapshot.descriptors)
        rows.people.extend(snapshot.people)
        retired = gone + [self._row_of[self._slugs[key]] for key in keys if key in self._slugs]
        self._slugs.update(zip(keys, (person.slug for person in snapshot.people), strict=True))
        self._row_of.update((person.slug, row) for row, person in enumerate(snapshot.people, first))
        self._names.update((person.slug, person.name) for person in snapshot.people)
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
        self._row_of = {slug: row for row, (slug, _) in enumerate(here)}
        people = [rows.people[row] for row in old.tolist()]
        no_counters = self._similarity.no_faces()
        return GalleryRows(matrix, people, rows.pictures[old], [], no_counters, rows.retired + 1)

    def _empty_matrix(self, rows: int) -> NDArray[np.float32]:
        return np.zeros((int(rows * ROW_GROWTH_FACTOR) + 16, self._similarity.columns), np.float32)

    def _accusations(self, snapshot: GallerySnapshot) -> tuple[list[int], NDArray[np.float32]]:
        """Return counter-examples, (m, c), and the row of the person of each."""
        owners = [self._slugs.get(key) for key in snapshot.counter_keys.tolist()]
        changed = {person.slug for person in snapshot.people} if self._accused else ()
        self._accused = {
            slug: each for slug, each in self._accused.items() if slug in self._row_of and slug not in changed
        }
        for slug in {owner for owner in owners if owner}:
            self._accused[slug] = self._similarity.templates(snapshot.counters[[owner == slug for owner in owners]])
        rows = [self._row_of[slug] for slug, counters in self._accused.items() for _ in counters]
        return rows, np.concatenate([self._similarity.no_faces(), *self._accused.values()])
