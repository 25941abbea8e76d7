"""A store in PostgreSQL: all its parts over one database, which several gateways can share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from gateway.errors import Busy, GatewayError, StartError, StoreAway
from gateway.model import PERSON_ID
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits, SightingLimits
from gateway.store.postgres.audit import PostgresAudit
from gateway.store.postgres.audit_key import AuditKeyRow
from gateway.store.postgres.backups import PostgresBackups
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.key_check import KeyCheck
from gateway.store.postgres.key_table import KeyTable
from gateway.store.postgres.keys import PostgresKeys
from gateway.store.postgres.listener import ChangeListener
from gateway.store.relational.archive import RelationalPeopleArchive
from gateway.store.relational.camera_switches import RelationalCameraSwitches
from gateway.store.relational.data_keys import DataKeys
from gateway.store.relational.effects import RelationalEffects
from gateway.store.relational.faces import RelationalFaces
from gateway.store.relational.folder_index import RelationalFolderIndex
from gateway.store.relational.imported_people import PeopleImport
from gateway.store.relational.notes import RelationalNotes
from gateway.store.relational.people import RelationalPeople
from gateway.store.relational.person_writer import PersonWriter
from gateway.store.relational.removal_marks import RelationalRemovalMarks
from gateway.store.relational.sighting_keys import SightingKeys
from gateway.store.relational.sightings import RelationalSightings
from gateway.store.relational.status import RelationalStatus
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.relational.tokens import RelationalTokens
from gateway.store.relational.unknown_groups import RelationalStoredGroups


class PostgresStore:
    """A store in PostgreSQL, as store.protocols.Store describes it. Several threads and gateways may use it."""

    def __init__(
        self,
        url: str,
        master: Cipher,
        limits: PeopleLimits | None = None,
        *,
        may_encrypt: bool = True,
        older_files: Collection[Path] = (),
    ) -> None:
        """Open the database, and create its tables if they are missing. Raise StartError if it cannot be used.

        ``may_encrypt``: whether a store with people may be encrypted now, with its first key. ``older_files``: those of
        a store in SQLite that may have been used before.
        """
        self._closers: list[Callable[[], object]] = []
        self.database = database = PostgresDatabase(url)
        table = KeyTable(database)
        self._keys = keys = DataKeys(table, master)
        database.add_participant(keys)
        audit_key = AuditKeyRow(keys)
        try:
            KeyCheck(database, table, master, keys).check(audit_key, may_encrypt=may_encrypt)
            secret = _read_secret(database)
        except (ValueError, OSError, GatewayError) as error:
            database.close()
            raise _start_error(database, error) from None
        limits = limits or PeopleLimits()
        self.removal_marks = marks = RelationalRemovalMarks(database, secret)
        writer = PersonWriter(keys, SightingKeys(keys, database.dialect), marks, limits)
        self.people = RelationalPeople(database, writer, marks)
        self.faces = RelationalFaces(database, keys)
        self.archive = RelationalPeopleArchive(database, keys, writer, PeopleImport(keys, marks, limits))
        self.effects = RelationalEffects(database, secret)
        self.folder_index = RelationalFolderIndex(database, writer, marks, limits)
        self.notes = RelationalNotes(database)
        self.audit = PostgresAudit(database, audit_key)
        self.keys = PostgresKeys(database, table, keys, audit_key)
        self.backups = PostgresBackups(self.keys, older_files)
        self.status = RelationalStatus(database)
        self.camera_switches = RelationalCameraSwitches(database)
        self.tokens = RelationalTokens(database, "PostgreSQL")
        self.audit.flush()
        self.keys.destroy_erased()

    def unknown_groups(self, recipe: str) -> RelationalStoredGroups:
        """Return the unknown groups with descriptors of one recipe."""
        return RelationalStoredGroups(self.database, self._keys, recipe)

    def sightings(self, recipe: str, limits: SightingLimits | None = None) -> RelationalSightings:
        """Return the history of sightings, with descriptors of one recipe."""
        return RelationalSightings(self.database, self._keys, recipe, limits or SightingLimits())

    def listen(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Call ``wake`` soon after each change of people by any process. Return the function that ends this."""
        listener = ChangeListener(self.database.address, self.database.limits, wake)
        listener.start()
        return listener.stop

    def close_with(self, close: Callable[[], object]) -> None:
        """Call a function when the store is closed."""
        self._closers.append(close)

    def close(self) -> None:
        """Close all connections."""
        for close in self._closers:
            close()
        self.database.close()


def _read_secret(database: PostgresDatabase) -> bytes:
    """Check the ids of all people, and return the secret of the store. Raise ValueError, or GatewayError."""
    if any(not PERSON_ID.fullmatch(slug) for (slug,) in database.rows("SELECT slug FROM people")):
        raise ValueError("the id of a person in it is damaged")
    row = database.row("SELECT value FROM meta WHERE key = 'secret'")
    if row is None:
        raise ValueError("it is damaged: its secret is missing")
    return bytes.fromhex(row[0])


def _start_error(database: PostgresDatabase, error: Exception) -> StartError:
    """Return the error for a store that cannot be opened, with the reason and what to do."""
    place = f"The people store in PostgreSQL at {database.address.place} cannot be used"
    if isinstance(error, StartError):
        return error
    if isinstance(error, Busy):
        return StoreAway(f"{place}: {error}.")
    # Only a damaged store may be replaced: without an undamaged one everybody in it would be lost.
    if isinstance(error, IntactStoreError):
        return StartError(f"{place} ({error}). Leave the database as it is: nothing in it is damaged.")
    return database.unusable_error(error)
