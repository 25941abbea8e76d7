"""Changes of people that end when every search follows them, at this gateway and at all its replicas."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import Conflict, UnknownPerson
from gateway.people.gallery_updater import GalleryUpdater

Confirm = Callable[[bool], None]
"""A function that waits until all replicas of the gateway follow the people as the store has them now.

With True, somebody was removed: it waits also until no retained message at the broker names that person. It raises Busy
if that takes too long.
"""


def confirm_nothing(_removed: bool) -> None:
    """Return immediately: a single gateway has no replicas that have to follow."""


class LaterConfirmation:
    """The wait for all replicas that the changes of a thread need, after the thread has made them."""

    def __init__(self, finish: Callable[[], object], confirm: Confirm) -> None:
        self._finish = finish
        self._confirm = confirm
        self.removed = False
        """True if somebody may have been removed."""
        self.is_needed = False
        """False if nothing was changed."""

    def note(self, removed: bool) -> None:
        """Note a change that was made. ``removed``: it may have removed somebody."""
        self.is_needed = True
        self.removed |= removed

    def wait(self) -> None:
        """Finish the changes, and wait until all replicas follow the people as they are now. Raise Busy."""
        if self.is_needed:
            self._finish()
            self._confirm(self.removed)


class FollowedChanges:
    """The changes of people by this process. Safe to use from any thread.

    If ``confirm`` raises Busy, the change is made, and the same request waits again.
    """

    def __init__(self, updater: GalleryUpdater, confirm: Confirm = confirm_nothing) -> None:
        self._updater = updater
        self._confirm = confirm
        # The threads that make a change, and whether it removes somebody. One change may consist of several others.
        self._changing: dict[int, bool] = {}
        # The threads whose changes do not wait for the replicas.
        self._later: dict[int, LaterConfirmation] = {}

    def refresh(self) -> None:
        """Let the searches of this process follow all changes of the store, by whatever process, and finish them."""
        self._updater.finish_changes()
        self._updater.refresh()

    @contextmanager
    def change(self, *, removes: bool = False) -> Iterator[None]:
        """Make a change within this context. The outermost one ends when the change is effective everywhere.

        So does a context that ends with UnknownPerson or Conflict: another replica may have made the change that this
        one finds made, and may still wait for the others. Within ``confirm_later`` the outermost context ends when the
        change is effective in this process. ``removes``: the change may remove somebody.

        A thread enters the outermost context before it takes any lock: other threads need the locks to follow.
        """
        thread = threading.get_ident()
        if thread in self._changing:
            self._changing[thread] |= removes
            yield
            self.refresh()
            return
        self._changing[thread] = removes
        removed = False
        try:
            try:
                yield
            finally:
                removed = self._changing.pop(thread)
        except (UnknownPerson, Conflict):
            self._settle(removed)
            raise
        self._settle(removed)

    @contextmanager
    def confirm_later(self) -> Iterator[LaterConfirmation]:
        """Let the changes of this thread within this context not wait for the replicas. The caller waits after it."""
        thread = threading.get_ident()
        self._later[thread] = later = LaterConfirmation(self._updater.finish_changes, self._confirm)
        try:
            yield later
        finally:
            del self._later[thread]

    def note_removal(self) -> None:
        """Note within a change that it may have removed somebody."""
        self._changing[threading.get_ident()] = True

    def _settle(self, removed: bool) -> None:
        later = self._later.get(threading.get_ident())
        # The next change may be a long one. The key of an erased person must not wait for it: it would not be destroyed
        # before the answer.
        if later is None or removed:
            self._updater.finish_changes()
        self._updater.refresh()
        if later is None:
            self._confirm(removed)
        else:
            later.note(removed)
