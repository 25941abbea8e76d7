"""The groups of unknown faces in memory, for any thread."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping

from gateway.store.records import UnknownGroup


class GroupsInMemory:
    """The groups by their ids, and the moment at which each got its last face. Nothing here waits for the store."""

    def __init__(self) -> None:
        # Held for a moment, while the groups are replaced. They are never changed: other threads iterate over them.
        self._replacing = threading.Lock()
        self._face_added_at: dict[int, float] = {}
        self.all: Mapping[int, UnknownGroup] = {}
        """The groups of one moment."""

    def replace_all(self, groups: Iterable[UnknownGroup]) -> None:
        """Replace all groups."""
        with self._replacing:
            self.all = {group.id: group for group in groups}

    def put(self, group: UnknownGroup) -> None:
        """Add a group, or replace it."""
        with self._replacing:
            self.all = {**self.all, group.id: group}

    def drop(self, *keys: int) -> None:
        """Remove groups. Those that are not here are left out."""
        with self._replacing:
            self.all = {key: group for key, group in self.all.items() if key not in keys}
            for key in keys:
                self._face_added_at.pop(key, None)

    def note_face(self, key: int, moment: float) -> None:
        """Note that a group got a face at a moment, in seconds since 1970."""
        self._face_added_at[key] = moment

    def face_added_at(self, key: int) -> float:
        """Return the moment at which a group got its last face."""
        return self._face_added_at.get(key, -math.inf)
