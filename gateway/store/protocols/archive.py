"""The protocol of the export and the import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from gateway.model.caller import Caller
from gateway.store.records import ExportedPerson


class PeopleArchive(Protocol):
    """The export and import of whole people."""

    def export_people(self, slug: str | None = None) -> Iterator[ExportedPerson]:
        """Yield one person, or all people."""

    def import_people(
        self,
        people: Iterable[ExportedPerson],
        caller: Caller,
        *,
        merge: bool = False,
        check_continue: Callable[[], None] = ...,
    ) -> int:
        """Add people. A person whose name is enrolled already gets the new pictures. Return the number of new pictures.

        Raise Conflict if there are new pictures of people who are enrolled already, unless ``merge`` allows it, and
        TooLarge if a limit is exceeded. ``check_continue`` is called before each person, and undoes all by raising.
        """
