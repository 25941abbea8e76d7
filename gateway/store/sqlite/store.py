"""A store in SQLite: all its parts over one file in the data folder."""

from __future__ import annotations

import logging
from pathlib import Path

from gateway.errors import GatewayError
from gateway.model.caller import UPGRADE_CALLER
from gateway.model.names import MAX_ID
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits, SightingLimits
from gateway.store.sqlite.archive import SqlitePeopleArchive
from gateway.store.sqlite.audit import SqliteAudit
from gateway.store.sqlite.audit_file import AuditFile
from gateway.store.sqlite.backup_files import contains_backup
from gateway.store.sqlite.backups import SqliteBackups
from gateway.store.sqlite.camera_switches import SqliteCameraSwitches
from gateway.store.sqlite.data_keys import DataKeys
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.effects import SqliteEffects
from gateway.store.sqlite.faces import SqliteFaces
from gateway.store.sqlite.folder_index import SqliteFolderIndex
from gateway.store.sqlite.key_check import check_keys, check_rows
from gateway.store.sqlite.key_file import KEY_FILE
from gateway.store.sqlite.keys import SqliteKeys
from gateway.store.sqlite.meta import SqliteNotes, read_meta
from gateway.store.sqlite.people import SqlitePeople
from gateway.store.sqlite.person_writer import PersonWriter
from gateway.store.sqlite.removal_marks import SqliteRemovalMarks
from gateway.store.sqlite.sightings import SqliteSightings
from gateway.store.sqlite.slugs import free_slug
from gateway.store.sqlite.status import SqliteStatus
from gateway.store.sqlite.store_errors import store_unusable_error
from gateway.store.sqlite.token_file import ACCESS_FILE, SqliteTokens
from gateway.store.sqlite.unknown_groups import SqliteStoredGroups
from gateway.store.sqlite.writes import bump_revision

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
        self._keys = keys = DataKeys(path.with_name(KEY_FILE), cipher or Cipher(None))
        self.database = database = Database(path, participant=keys)
        try:
            secret = _check(database, keys, may_encrypt)
        except (ValueError, TypeError, GatewayError) as error:
            database.close()
            raise store_unusable_error(path, error) from None
        limits = limits or PeopleLimits()
        self.removal_marks = marks = SqliteRemovalMarks(database, secret)
        writer = PersonWriter(keys, marks, limits)
        self.people = SqlitePeople(database, writer, marks)
        self.faces = SqliteFaces(database, keys)
        self.archive = SqlitePeopleArchive(database, keys, writer, marks)
        self.effects = SqliteEffects(database, secret)
        self.folder_index = SqliteFolderIndex(database, writer, marks, limits)
        self.notes = SqliteNotes(database)
        self.audit = SqliteAudit(database, audit)
        backups = path.parent / "backups"
        self.keys = SqliteKeys(database, keys, backups)
        self.backups = SqliteBackups(backups, database, self.keys)
        self.status = SqliteStatus(database)
        self.camera_switches = SqliteCameraSwitches(database)
        self.tokens = SqliteTokens(path.with_name(ACCESS_FILE))
        if database.upgrade_backup is not None:
            self.audit.record(UPGRADE_CALLER, "backup", detail=database.upgrade_backup.name)
        self.audit.flush()
        self.keys.destroy_erased()

    def unknown_groups(self, recipe: str) -> SqliteStoredGroups:
        """Return the unknown groups with descriptors of one recipe."""
        return SqliteStoredGroups(self.database, self._keys, recipe)

    def sightings(self, recipe: str, limits: SightingLimits | None = None) -> SqliteSightings:
        """Return the history of sightings, with descriptors of one recipe."""
        return SqliteSightings(self.database, self._keys, recipe, limits or SightingLimits())

    def close(self) -> None:
        """Close the file."""
        self.database.close()


def _check(database: Database, keys: DataKeys, may_encrypt: bool) -> bytes:
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
