"""The names and ids of the enrolled people, in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from gateway.model import Person
from gateway.model.names import unknown_person_error
from gateway.store.records import Changes


class PeopleDirectory:
    """The enrolled people by their ids and by the store's numbers. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._people: dict[str, Person] = {}
        self._keys: dict[str, int] = {}
        self._slugs: dict[int, str] = {}

    def __contains__(self, slug: str) -> bool:
        return slug in self._people

    def __len__(self) -> int:
        return len(self._people)

    def person(self, slug: str) -> Person:
        """Return the person with this id. Raise UnknownPerson."""
        if (person := self._people.get(slug)) is None:
            raise unknown_person_error(slug)
        return person

    def key(self, slug: str) -> int:
        """Return the store's number of the person with this id. Raise UnknownPerson."""
        if (key := self._keys.get(slug)) is None:
            raise unknown_person_error(slug)
        return key

    def find(self, key: int) -> Person | None:
        """Return the person with a number of the store, None if nobody has it."""
        slug = self._slugs.get(key)
        return None if slug is None else self._people.get(slug)

    def find_name(self, slug: str) -> str | None:
        """Return the name of the person with this id, or None if nobody has it."""
        person = self._people.get(slug)
        return None if person is None else person.name

    def find_keys(self, slugs: Iterable[str]) -> list[int]:
        """Return the numbers of those of the ids that somebody has."""
        return [key for slug in slugs if (key := self._keys.get(slug)) is not None]

    def people(self) -> dict[str, Person]:
        """Return all people by their ids."""
        with self._changing:
            return dict(self._people)

    def by_age(self) -> dict[str, int]:
        """Return by id a number that is smaller for a person who was enrolled earlier."""
        with self._changing:
            return dict(self._keys)

    def apply(self, changes: Changes) -> None:
        """Apply changes of the store."""
        with self._changing:
            for key in changes.removed_keys:
                if (slug := self._slugs.pop(key, None)) is not None:
                    del self._people[slug], self._keys[slug]
            for key, person in zip(changes.snapshot.keys.tolist(), changes.snapshot.people, strict=True):
                self._slugs[key], self._keys[person.slug], self._people[person.slug] = person.slug, key, person
