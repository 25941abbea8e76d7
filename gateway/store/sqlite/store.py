"""A store in SQLite: all its parts over one file in the data folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from gateway.errors import GatewayError
from gateway.model.caller import UPGRADE_CALLER
from gateway.model.names import MAX_ID
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits, SightingLimits
from gateway.store.relational.archive import RelationalPeopleArchive
from gateway.store.relational.camera_switches import RelationalCameraSwitches
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
from gateway.store.relational.slugs import free_slug
from gateway.store.relational.status import RelationalStatus
from gateway.store.relational.unknown_groups import RelationalStoredGroups
from gateway.store.relational.writes import bump_revision
from gateway.store.sqlite.audit import SqliteAudit
from gateway.store.sqlite.audit_file import AuditFile
from gateway.store.sqlite.backup_files import contains_backup
from gateway.store.sqlite.backups import SqliteBackups
from gateway.store.sqlite.data_keys import FileDataKeys
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.key_check import check_keys, check_rows
from gateway.store.sqlite.key_file import KEY_FILE
from gateway.store.sqlite.keys import SqliteKeys
from gateway.store.sqlite.meta import read_meta
from gateway.store.sqlite.store_errors import store_unusable_error
from gateway.store.sqlite.token_file import ACCESS_FILE, SqliteTokens

log = logging.getLogger(__name__)


class SqliteStore:
    """A store in SQLite, as store.protocols.Store describes it. Several threads and processes may use one file."""

    def __init__(
        self,
        path: Path,
        cipher: Cipher | None = None,
        *,
        may_encrypt: bool = True,
        audit: AuditFile | None = None,
        limits: PeopleLimits | None = None,
    ) -> None:
        """Open the file, or create it. Raise StartError if it cannot be used.

        ``may_encrypt``: whether a store with people may be encrypted now, with its first key. ``audit``: the file of
        the audit; without it the lines of the audit stay in the file of the store.
        """
        self._keys = keys = FileDataKeys(path.with_name(KEY_FILE), cipher or Cipher(None))
        self.database = database = Database(path, participant=keys)
        try:
            secret = _check(database, keys, may_encrypt)
        except (ValueError, TypeError, GatewayError) as error:
            database.close()
            raise store_unusable_error(path, error) from None
        limits = limits or PeopleLimits()
        self.removal_marks = marks = RelationalRemovalMarks(database, secret)
        writer = PersonWriter(keys, SightingKeys(keys, database.dialect), marks, limits)
        self.people = RelationalPeople(database, writer, marks)
        self.faces = RelationalFaces(database, keys)
        self.archive = RelationalPeopleArchive(database, keys, writer, PeopleImport(keys, marks, limits))
        self.effects = RelationalEffects(database, secret)
        self.folder_index = RelationalFolderIndex(database, writer, marks, limits)
        self.notes = RelationalNotes(database)
        self.audit = SqliteAudit(database, audit)
        backups = path.parent / "backups"
        self.keys = SqliteKeys(database, keys, backups)
        self.backups = SqliteBackups(backups, database, self.keys)
        self.status = RelationalStatus(database)
        self.camera_switches = RelationalCameraSwitches(database)
        self.tokens = SqliteTokens(path.with_name(ACCESS_FILE))
        if database.upgrade_backup is not None:
            self.audit.record(UPGRADE_CALLER, "backup", detail=database.upgrade_backup.name)
        self.audit.flush()
        self.keys.destroy_erased()

    def unknown_groups(self, recipe: str) -> RelationalStoredGroups:
        """Return the unknown groups with descriptors of one recipe."""
        return RelationalStoredGroups(self.database, self._keys, recipe)

    def sightings(self, recipe: str, limits: SightingLimits | None = None) -> RelationalSightings:
        """Return the history of sightings, with descriptors of one recipe."""
        return RelationalSightings(self.database, self._keys, recipe, limits or SightingLimits())

    def listen(self, wake: Callable[[], object]) -> Callable[[], None]:
        """Never call ``wake``: SQLite announces nothing. Return a function that does nothing."""
        return lambda: None

    def close(self) -> None:
        """Close the file."""
        self.database.close()


def _check(database: Database, keys: FileDataKeys, may_encrypt: bool) -> bytes:
    """Check the content of the file, and return its secret. Raise ValueError, TypeError or GatewayError."""
    _shorten_ids(database)
    was_encrypted = check_keys(database, keys, may_encrypt=may_encrypt)
    check_rows(database)
    if was_encrypted:
        _warn_of_plain_backups(database.path)
    secret = bytes(read_meta(database, "secret", bytes))
    read_meta(database, "revision", int)
    return secret


def _warn_of_plain_backups(path: Path) -> None:
    """Log that the store at ``path`` is encrypted from now on, and which backups are not."""
    backups = path.parent / "backups"
    if contains_backup(backups):
        log.warning("%s is now encrypted, but the backups in %s are not: delete them", path, backups)
    else:
        log.info("%s is now encrypted; backups in other places, if there are any, are not", path)


def _shorten_ids(database: Database) -> None:
    """Give a new id to each person whose id is too long."""
    # Version 4 made such ids for 10,000 names that begin alike.
    with database.reading() as db:
        too_long = db.execute("SELECT id, name FROM people WHERE length(slug) > ?", (MAX_ID,)).fetchall()
    if not too_long:
        return
    with database.transaction() as db:
        for person, name in too_long:
            db.execute("UPDATE people SET slug = ? WHERE id = ?", (free_slug(db, name), person))
            bump_revision(db, person)
