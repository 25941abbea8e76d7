"""The protocol of the groups of unknown faces."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from gateway.store.records import MAX_FACES_PER_GROUP, StoredFace, UnknownGroup


class StoredGroups(Protocol):
    """The groups of unknown faces with descriptors of one recipe.

    ``damaged``: the ids of groups that the last ``load`` could not read. They stay until they are deleted or expire.
    """

    damaged: frozenset[int]

    def changing(self) -> AbstractContextManager[object]:
        """Return a context in which no other process changes the store. Its changes are made together or not at all."""

    def load(self) -> list[UnknownGroup]:
        """Return all groups that can be read."""

    def read_ids(self) -> set[int]:
        """Return the ids of all groups in the store, which another process may have changed."""

    def read_revision(self) -> int:
        """Return the number that grows when a group is ignored or joined, whichever process does that."""

    def add_group(self, camera: str, moment: float, worth: float, face: StoredFace) -> UnknownGroup:
        """Add a group of one face with its quality score, seen by a camera at a moment."""

    def add_face(
        self, group: UnknownGroup, worth: float, face: StoredFace, max_faces: int = MAX_FACES_PER_GROUP
    ) -> None:
        """Add a face to a group. Over ``max_faces`` faces, the face with the lowest score is deleted."""

    def save_sightings(self, groups: Sequence[UnknownGroup]) -> None:
        """Write when, how often and by which cameras the groups were seen."""

    def delete(self, groups: Sequence[int]) -> None:
        """Delete groups by their ids. Raise UnknownPerson if one of them does not exist."""

    def delete_all(self) -> None:
        """Delete all groups."""

    def set_ignored(self, group: UnknownGroup, ignored: bool) -> None:
        """Ignore a group, or take that back."""

    def join(self, group: UnknownGroup, into: UnknownGroup) -> UnknownGroup:
        """Add the faces and the visits of a group to another one, and delete the first. Return the joined group."""

    def delete_damaged(self, before: float, ignored_before: float) -> None:
        """Delete the damaged groups that were last seen before a moment, in seconds since 1970.

        ``ignored_before``: the moment for groups that are ignored.
        """

    def delete_other_recipes(self) -> None:
        """Delete the groups with descriptors of another recipe. Their people will be seen again."""
