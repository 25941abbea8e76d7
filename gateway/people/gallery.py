"""The people we know, in memory: one matrix of descriptors, searched by one product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.errors import UnknownPerson
from gateway.model import Descriptor, Person
from gateway.people.similarity import Similarity


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """One known picture of a person."""

    person: Person
    descriptor: Descriptor


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person with the similarity of their picture that is nearest to the probe (people/similarity.py)."""

    person: Person
    similarity: float


@dataclass(frozen=True, slots=True)
class Nearest:
    """The one or two people most like a probe, best first (none if nobody is known), of so many templates."""

    candidates: tuple[Candidate, ...]
    templates: int


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """``matrix``: float32, (templates, 130), ready to be compared; ``owners``: for each row the index of its person."""

    people: tuple[Person, ...]
    matrix: NDArray[np.float32]
    owners: NDArray[np.intp]

    def person(self, slug: str) -> Person:
        for person in self.people:
            if person.slug == slug:
                return person
        raise UnknownPerson(f"nobody with the id {slug!r} is known")


def _rows(templates: Sequence[Template], similarity: Similarity) -> _Rows:
    people = tuple(dict.fromkeys(template.person for template in templates))
    index = {person: n for n, person in enumerate(people)}
    matrix = np.array([template.descriptor for template in templates], np.float32).reshape(-1, 128)
    matrix = similarity.templates(matrix)
    return _Rows(people, matrix, np.array([index[template.person] for template in templates], np.intp))


class Gallery:
    def __init__(self, templates: Sequence[Template] = (), similarity: Similarity | None = None) -> None:
        """``similarity``: the plain cosine unless given."""
        self._similarity = similarity or Similarity(None)
        self.load(templates)

    def load(self, templates: Sequence[Template]) -> None:
        """Replaces everybody by one assignment, so a search never sees half a change."""
        self._rows = _rows(templates, self._similarity)

    @property
    def people(self) -> tuple[Person, ...]:
        return self._rows.people

    @property
    def templates(self) -> int:
        """How many pictures a probe is compared with."""
        return len(self._rows.matrix)

    def person(self, slug: str) -> Person:
        """Raises UnknownPerson."""
        return self._rows.person(slug)

    def nearest(self, probe: Descriptor) -> Nearest:
        rows = self._rows
        best = np.full(len(rows.people), -np.inf, np.float32)
        np.maximum.at(best, rows.owners, rows.matrix @ self._similarity.probes(probe[None])[0])
        order = np.argsort(-best)[:2]
        return Nearest(tuple(Candidate(rows.people[n], float(best[n])) for n in order), len(rows.matrix))

    def of(self, slug: str, probe: Descriptor) -> Nearest:
        """As ``nearest``, with that person alone. Raises UnknownPerson."""
        rows = self._rows
        person = rows.person(slug)
        similarities = rows.matrix[rows.owners == rows.people.index(person)] @ self._similarity.probes(probe[None])[0]
        return Nearest((Candidate(person, float(similarities.max())),), len(similarities))

    def compare(self, one: Descriptor, other: Descriptor) -> float:
        """The similarity of two faces, whoever they are."""
        return self._similarity.of(one, other)
