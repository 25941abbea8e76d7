"""The protocol of an opened store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.store.limits import SightingLimits
from gateway.store.protocols.archive import PeopleArchive
from gateway.store.protocols.audit import Audit
from gateway.store.protocols.backups import Backups, Keys
from gateway.store.protocols.camera_switches import CameraSwitches
from gateway.store.protocols.effects import Effects
from gateway.store.protocols.faces import Faces
from gateway.store.protocols.folder import FolderIndex, RemovalMarks
from gateway.store.protocols.notes import Notes
from gateway.store.protocols.people import People
from gateway.store.protocols.sightings import Sightings
from gateway.store.protocols.status import StoreStatus
from gateway.store.protocols.tokens import Tokens
from gateway.store.protocols.unknown_groups import StoredGroups


class Store(Protocol):
    """An opened store: all its parts, over one database. A part may be used by several threads."""

    @property
    def people(self) -> People: ...

    @property
    def faces(self) -> Faces: ...

    @property
    def archive(self) -> PeopleArchive: ...

    @property
    def effects(self) -> Effects: ...

    @property
    def folder_index(self) -> FolderIndex: ...

    @property
    def removal_marks(self) -> RemovalMarks: ...

    @property
    def notes(self) -> Notes: ...

    @property
    def audit(self) -> Audit: ...

    @property
    def backups(self) -> Backups: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def status(self) -> StoreStatus: ...

    @property
    def camera_switches(self) -> CameraSwitches: ...

    @property
    def tokens(self) -> Tokens: ...

    def unknown_groups(self, recipe: str) -> StoredGroups:
        """Return the unknown groups with descriptors of one recipe."""

    def sightings(self, recipe: str, limits: SightingLimits | None = None) -> Sightings:
        """Return the history of sightings, with descriptors of one recipe. ``limits``: the default ones if None."""

    def listen(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Call ``wake`` soon after each change of people by another process. Return the function that ends this.

        A store may be unable to know of changes, and some changes may be missed.
        """

    def close(self) -> None:
        """Close the database."""
