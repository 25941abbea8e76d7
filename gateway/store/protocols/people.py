"""The protocol of the enrolled people."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from gateway.model import Person
from gateway.model.caller import Caller
from gateway.store.records import PersonEntry, Picture


class People(Protocol):
    """The enrolled people and their pictures."""

    def find_person(self, name: str) -> Person | None:
        """Return the person with this name, in this spelling or else in another one (model.names.name_key)."""

    def read_entry(self, slug: str) -> PersonEntry:
        """Return one person."""

    def list_entries(self, *, after: str = "", containing: str = "", limit: int = 100) -> list[PersonEntry]:
        """Return the people whose names contain a text, sorted by slug, from the first slug after ``after``."""

    def count_people(self, *, containing: str = "") -> int:
        """Return the number of people whose names contain a text."""

    def list_unchanged_since(self, moment: float) -> list[str]:
        """Return the slugs of people whose pictures are unchanged since a moment, in seconds since 1970."""

    def enrol(self, who: str | Person, pictures: Iterable[Picture], caller: Caller) -> PersonEntry:
        """Add pictures to a person; a new name creates a person. Stored pictures stay.

        Raise Conflict if the person would have counter-examples only, and TooLarge if a limit is exceeded.
        """

    def rename(self, slug: str, name: str, caller: Caller) -> PersonEntry:
        """Give a person another name. Raise Conflict if another person has it."""

    def merge(self, slug: str, into: str, caller: Caller) -> PersonEntry:
        """Move all pictures of a person to another one, and remove the first. Return the second."""

    def split(self, slug: str, pictures: Collection[str], into: str | Person, caller: Caller) -> PersonEntry:
        """Move some pictures of a person, by their ids, to another one; a new name creates a person. Return the other.

        The source of the pictures is the caller then, and no folder of the first person can enrol them again. Raise
        UnknownPerson if the person has no such picture. Raise Conflict for a counter-example, or if the first person
        would have no picture left.
        """

    def choose_shown(self, slug: str, picture: str, caller: Caller) -> PersonEntry:
        """Choose the picture by which users recognise a person. Raise UnknownPerson, or Conflict for a counter-example.

        The choice ends when the person loses the picture.
        """

    def remove_picture(self, slug: str, picture: str, caller: Caller) -> PersonEntry | None:
        """Remove a picture by its id. Return None if the person was removed with the last picture that shows them.

        Raise UnknownPerson if the person has no such picture.
        """

    def remove(
        self,
        slug: str,
        caller: Caller,
        *,
        erase: bool = False,
        also: Collection[str] = (),
        closes_folders: bool = False,
    ) -> Person:
        """Remove a person with all pictures. Mark the pictures, so that the folder cannot enrol them again.

        ``erase``: the marks also apply to a backup that is restored later. ``also``: digests of other pictures to mark.
        ``closes_folders``: no folder of the person, or of that name, can enrol any picture, until a person of that name
        is enrolled or renamed by another caller.
        """
