"""The cameras that this replica adds to the cluster, or removes from it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping

from gateway.model.cluster import ClusterView
from gateway.store.protocols.coordination import Coordination, Member

ANY_NUMBER = 2**31 - 1
"""More cameras than there can be."""


class CameraList:
    """The cameras to add, and those to forget. Any thread may call ``add``, ``forget`` and ``keep``.

    ``most``: the number of cameras up to which a cluster has room. ``configured``: they always find room, and are never
    forgotten.
    """

    def __init__(self, member: Member, coordination: Coordination, most: int, configured: frozenset[str]) -> None:
        self._member = member
        self._coordination = coordination
        self._most = most
        self._configured = configured
        self._lock = threading.Lock()
        # Each with the number of cameras up to which it finds room.
        self._added: dict[str, int] = {}
        self._forgotten: set[str] = set()

    def add(self, names: Iterable[str], view: ClusterView, *, always: bool) -> bool:
        """Add cameras soon, if the cluster does not know them, and has room for them. Return whether there are any.

        ``always``: add them also if the cluster has no room for more cameras.
        """
        wanted, known = set(names), {each.name for each in view.cameras}
        with self._lock:
            wanted -= known | self._added.keys()
            # Any client of the broker can name cameras: those that find no room must not keep the database busy.
            room = max(self._most - len(known) - len(self._added), 0)
            new = dict.fromkeys(sorted(wanted)[:room], self._most)
            new |= dict.fromkeys(wanted if always else wanted & self._configured, ANY_NUMBER)
            self._added |= new
        return bool(new)

    def forget(self, name: str) -> bool:
        """Forget a camera soon. Return False for one that is configured."""
        if name in self._configured:
            return False
        with self._lock:
            self._forgotten.add(name)
        return True

    def keep(self, name: str) -> None:
        """Do not forget a camera, even if that was asked before: it sends again."""
        with self._lock:
            self._forgotten.discard(name)

    def write_added(self) -> bool:
        """Add the cameras to add, each if there is room for it. Return whether there were any. Raise Busy."""
        with self._lock:
            added = dict(self._added)
        for most in {*added.values()}:
            self._coordination.add_cameras([name for name, limit in added.items() if limit == most], most)
        with self._lock:
            for name in added:
                self._added.pop(name, None)
        return bool(added)

    def find_forgotten(self, view: ClusterView) -> Mapping[str, int]:
        """Return the cameras to forget that this replica owns, with their epochs."""
        with self._lock:
            if not self._forgotten:
                return {}
            rows = {each.name: each for each in view.cameras if each.name in self._forgotten}
            others = view.live - {self._member.replica}
            # Another owner forgets the camera itself.
            self._forgotten = {name for name, row in rows.items() if row.owner not in others}
        return {name: row.epoch for name, row in rows.items() if row.owner == self._member.replica}

    def remove(self, given_up: Mapping[str, int]) -> Collection[str]:
        """Remove those of the cameras that are to be forgotten, and that left nothing at the broker. Return them.

        ``given_up``: cameras with their epochs that no part of this replica uses any more. Raise Busy.
        """
        with self._lock:
            forgotten = {name: epoch for name, epoch in given_up.items() if name in self._forgotten}
        removed = self._coordination.forget_cameras(self._member, forgotten) if forgotten else ()
        with self._lock:
            self._forgotten.difference_update(removed)
        return removed
