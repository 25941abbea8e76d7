"""The note that the retained messages of this replica name nobody who was removed."""

from __future__ import annotations

from collections.abc import Callable, Collection

from gateway.cluster.standing import NOTHING, Holdings
from gateway.store.protocols.coordination import Coordination, Member

FindCleared = Callable[[Holdings], Holdings]
"""A function that returns the part of what a replica holds whose retained messages at the broker are all its own."""

FindWithdrawn = Callable[[Collection[str]], Collection[str]]
"""A function that returns those of the cameras of which the broker has no retained message any more."""


class Clearing:
    """Writes for which cameras, and for the leader, the broker has only messages of this replica about present people.

    A removal of a person waits for that. It is written only while a removal wants it. ``told``: returns what all parts
    of this replica have taken over.
    """

    def __init__(
        self, member: Member, coordination: Coordination, told: Callable[[], Holdings], find_cleared: FindCleared
    ) -> None:
        self._member = member
        self._coordination = coordination
        self._told = told
        self._find_cleared = find_cleared
        self._noted: tuple[int, Holdings] = 0, NOTHING

    def note(self, revision: int) -> bool:
        """Note what is cleared, if a removal wants it. Return whether nothing remains. Raise Busy.

        ``revision``: of the people that this replica follows. Everything that it announces now names only them.
        """
        wanted, told = self._coordination.read_wanted(), self._told()
        if wanted > revision or (wanted, told) == self._noted:
            return True
        cleared = self._find_cleared(told)
        self._coordination.note_cleared(self._member, wanted, cleared.cameras, cleared.leads_since)
        if cleared != told:
            return False
        self._noted = wanted, told
        return True
