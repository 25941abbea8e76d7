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
        self._keys: Mapping[str, int] = {}
        self._changed: set[str] = set()

    def knows(self, person: Person | None) -> bool:
        """Return whether a person is announced. True for nobody."""
        return person is None or person.slug in self._people

    def take_changed(self) -> set[str]:
        """Return the ids of the people who are new or got other pictures since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def find_changes(self) -> tuple[list[Person], list[Person], list[str]]:
        """Return the people who are new, those with another name, and the ids of those who were removed.

        Somebody who was removed and enrolled again is both removed and new.
        """
        if self._gallery.changes == self._changes:
            return [], [], []
        self._changes, people, keys = self._gallery.changes, self._gallery.people(), self._gallery.by_age()
        # An id may be given again. The store's key never is.
        same = {slug for slug, key in self._keys.items() if keys.get(slug) == key}
        before = {slug: person for slug, person in self._people.items() if slug in same}
        removed = [slug for slug in self._people if slug not in same]
        self._people, self._keys = people, keys
        # The gallery makes a new value for a person whose pictures have changed.
        self._changed |= {slug for slug, person in people.items() if before.get(slug) is not person}
        new = [person for slug, person in people.items() if slug not in before]
        renamed = [person for slug, person in people.items() if slug in before and before[slug] != person]
        return new, renamed, removed
