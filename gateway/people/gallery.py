"""Gallery of enrolled people: their names in memory, and a search among their faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import Descriptor, Person
from gateway.model.names import unknown_person_error
from gateway.people.gallery_rows import Candidate
from gateway.people.memory_search import MemorySearch
from gateway.people.people_directory import PeopleDirectory
from gateway.people.people_search import PeopleSearch
from gateway.people.similarity import Similarity
from gateway.store.records import Changes


@dataclass(frozen=True, slots=True)
class Nearest:
    """Result of a search among ``people`` people.

    ``candidates``: the two most likely people, best first, then others who reach their limit, up to MAX_CANDIDATES.
    """

    candidates: tuple[Candidate, ...]
    people: int


class Gallery:
    """Enrolled people. Many threads search them, while one thread at a time changes them.

    The search is in memory, until ``search_with`` gives it another one, which may raise Busy.
    """

    def __init__(self, similarity: Similarity | None = None) -> None:
        """``similarity``: by default the plain cosine of descriptors of dlib's network."""
        self.similarity = similarity or Similarity(None)
        self.directory = PeopleDirectory()
        self._search: PeopleSearch = MemorySearch(self.similarity)
        self.changes = 0

    def __contains__(self, slug: str) -> bool:
        return slug in self.directory

    def __len__(self) -> int:
        return len(self.directory)

    def search_with(self, search: PeopleSearch) -> None:
        """Search with another object from now on. It follows all changes that the gallery follows."""
        self._search = search

    @property
    def compares_everybody(self) -> bool:
        """True if all people can be compared with all others within minutes."""
        return self._search.compares_everybody

    def person(self, slug: str) -> Person:
        """Return the person with this id. Raises UnknownPerson."""
        return self.directory.person(slug)

    def find_name(self, slug: str) -> str | None:
        """Return the name of the person with this id, or None if nobody has it. This never waits."""
        return self.directory.find_name(slug)

    def nearest(self, probe: Descriptor, limits: NDArray[np.float32]) -> Nearest:
        """Return the people that a probe, (d,), most likely shows.

        ``limits``: ``Decision.similarity_limits``. The best candidate exceeds the limit by most. A probe that is at
        least as similar to a counter-example of a person as to that person excludes the person.
        """
        return Nearest(tuple(self._search.nearest(self._probe(probe), limits)), len(self))

    def compare_person(self, slug: str, probe: Descriptor) -> Candidate:
        """Return the similarity of a probe, (d,), to one person.

        The similarity is -1 if a counter-example is at least as similar. Raises UnknownPerson.
        """
        return self._candidate(slug, self._probe(probe))

    def closest_to(self, slug: str, limits: NDArray[np.float32]) -> Candidate | None:
        """Return the other person who resembles a person most, or None if there is nobody else.

        ``limits`` as for ``nearest``. Raises UnknownPerson.
        """
        found = self._search.nearest(self._person_as_probe(slug), limits)
        return next((each for each in found if each.person.slug != slug), None)

    def compare_people(self, one: str, other: str) -> Candidate:
        """Return the similarity of the mean of one person's pictures to another person. Raises UnknownPerson."""
        return self._candidate(other, self._person_as_probe(one))

    def compare(self, one: Descriptor, other: Descriptor) -> float:
        """Return the similarity of two descriptors, (d,) each."""
        return self.similarity.compare(one, other)

    def similarities(self, face: Descriptor, templates: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the similarity, (n,), of one face and each of some descriptors, (n, d)."""
        alike: NDArray[np.float32] = self.similarity.templates(templates) @ self._probe(face)
        return alike

    def people(self) -> dict[str, Person]:
        """Return all people by their ids."""
        return self.directory.people()

    def by_age(self) -> dict[str, int]:
        """Return by id a number that is smaller for a person who was enrolled earlier."""
        return self.directory.by_age()

    def lookalikes(self, slugs: Sequence[str], limits: NDArray[np.float32]) -> set[tuple[str, str]]:
        """Return pairs of people that look alike: one of these people, and any other person.

        ``limits`` as for ``nearest``. The ids in a pair are in alphabetical order. A counter-example that distinguishes
        two people prevents their pair.
        """
        return self._search.lookalikes(self.directory.find_keys(slugs), limits)

    def apply(self, changes: Changes) -> None:
        """Apply changes of the store. No search finds a removed person when this returns, even if it began before."""
        self.directory.apply(changes)
        self._search.apply(changes)
        self.changes += 1

    def _probe(self, descriptor: Descriptor) -> NDArray[np.float32]:
        probe: NDArray[np.float32] = self.similarity.probes(descriptor[None])[0]
        return probe

    def _person_as_probe(self, slug: str) -> NDArray[np.float32]:
        if (template := self._search.template(self.directory.key(slug))) is None:
            raise unknown_person_error(slug)
        probe: NDArray[np.float32] = self.similarity.as_probes(template[None])[0]
        return probe

    def _candidate(self, slug: str, compared: NDArray[np.float32]) -> Candidate:
        if (found := self._search.candidate(self.directory.key(slug), compared)) is None:
            raise unknown_person_error(slug)
        return found
