"""Changes of people that end when every search follows them, at this gateway and at all its replicas."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import Conflict, UnknownPerson
from gateway.people.gallery_updater import GalleryUpdater


def confirm_nothing() -> None:
    """Return immediately: a single gateway has no replicas that have to follow."""


class FollowedChanges:
    """The changes of people by this process. Safe to use from any thread.

    ``confirm``: waits until all live replicas follow the store as it is now. It raises Busy if one of them takes too
    long: the change is made then, and the same request waits again.
    """

    def __init__(self, updater: GalleryUpdater, confirm: Callable[[], None] = confirm_nothing) -> None:
        self._updater = updater
        self._confirm = confirm
        # The threads that make a change. One change may consist of several others.
        self._changing: set[int] = set()

    def refresh(self) -> None:
        """Let the searches of this process follow all changes of the store, by whatever process, and finish them."""
        self._updater.finish_changes()
        self._updater.refresh()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Make a change within this context. The outermost one ends when the change is effective everywhere.

        So does a context that ends with UnknownPerson or Conflict: another replica may have made the change that this
        one finds made, and may still wait for the others.

        A thread enters the outermost context before it takes any lock: other threads need the locks to follow.
        """
        thread = threading.get_ident()
        if thread in self._changing:
            yield
            self.refresh()
            return
        try:
            with self._outermost(thread):
                yield
        except (UnknownPerson, Conflict):
            self._settle()
            raise
        self._settle()

    @contextmanager
    def _outermost(self, thread: int) -> Iterator[None]:
        self._changing.add(thread)
        try:
            yield
        finally:
            self._changing.remove(thread)

    def _settle(self) -> None:
        self.refresh()
        self._confirm()
