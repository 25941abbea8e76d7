"""The protocols of a store: what each part must do, whatever database is behind it.

All methods raise GatewayError if the store fails. Methods with the id of a person (``slug``) raise UnknownPerson if no
person has it. A change is done completely or not at all, is on the disk when the method returns, and adds a line to the
audit that names its ``caller``.
"""

from __future__ import annotations

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
from gateway.store.protocols.store import Store
from gateway.store.protocols.tokens import Tokens
from gateway.store.protocols.unknown_groups import StoredGroups

__all__ = [
    "Audit",
    "Backups",
    "CameraSwitches",
    "Effects",
    "Faces",
    "FolderIndex",
    "Keys",
    "Notes",
    "People",
    "PeopleArchive",
    "RemovalMarks",
    "Sightings",
    "Store",
    "StoreStatus",
    "StoredGroups",
    "Tokens",
]
