"""The enrolled people, as the live cameras announce them: any process may enrol, rename or remove somebody."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model import Person
from gateway.people.gallery import Gallery


class KnownPeople:
    """The people that were announced."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._changes = -1
        self._people: Mapping[str, Person] = {}
        self._changed: set[str] = set()

    def knows(self, person: Person | None) -> bool:
        """Return whether a person is announced. True for nobody."""
        return person is None or person.slug in self._people

    def take_changed(self) -> set[str]:
        """Return the ids of the people who are new or got other pictures since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def find_changes(self) -> tuple[list[Person], list[Person], list[str]]:
        """Return the people who are new, those with another name, and the ids of those who were removed."""
        if self._gallery.changes == self._changes:
            return [], [], []
        self._changes, people = self._gallery.changes, self._gallery.people()
        before, self._people = self._people, people
        # The gallery makes a new value for a person whose pictures have changed.
        self._changed |= {slug for slug, person in people.items() if before.get(slug) is not person}
        new = [person for slug, person in people.items() if slug not in before]
        renamed = [person for slug, person in people.items() if slug in before and before[slug] != person]
        return new, renamed, [slug for slug in before if slug not in people]
