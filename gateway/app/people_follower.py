"""The steps by which a replica follows changes of people, before it confirms them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout

from gateway.errors import Busy
from gateway.live.board_reader import BoardReader
from gateway.live.service import LiveService
from gateway.people.services import PeopleServices
from gateway.service.named_answers import NamedAnswers


class PeopleFollower:
    """The follower of a replica.

    ``drain_s``: the longest wait for answers that were made before. ``flush``: waits until the broker has all messages.
    """

    def __init__(
        self,
        people: PeopleServices,
        live: LiveService | None,
        places: BoardReader,
        answers: NamedAnswers,
        drain_s: float,
        flush: Callable[[float], None],
    ) -> None:
        self._people = people
        self._live = live
        self._places = places
        self._answers = answers
        self._drain_s = drain_s
        self._flush = flush
        self._followed = self._removals = -1

    def follow(self) -> int:
        """Follow all changes of people, and return the revision that nothing here contradicts any more. Raise Busy."""
        # No step writes to the store, or needs a lock that is held while another thread writes. A change at another
        # replica may take seconds, all other changes wait for it, and the lease ends if this takes too long.
        # Before the steps: a change that comes in between is followed the next time.
        revision = self._people.store.faces.revision()
        self._people.updater.refresh()
        if revision == self._followed:
            return revision
        self._people.groups.drop_deleted()
        if self._live is not None and self._live.is_running:
            self._follow_live(self._live)
        self._places.follow_people()
        self._wait_for_answers()
        self._followed = revision
        return revision

    def _wait_for_answers(self) -> None:
        """Wait for the answers in flight if somebody was removed: they may name that person."""
        # A client that reads its answer slowly must not be cut off for each enrolment.
        removals = self._people.updater.removal_count
        if removals != self._removals:
            self._answers.wait_for_earlier(self._drain_s)
            self._flush(self._drain_s / 2)
            self._removals = removals

    def _follow_live(self, live: LiveService) -> None:
        try:
            live.call(lambda: None)
        except FutureTimeout:
            raise Busy("the live cameras do not follow a change of people", 1) from None
