"""The replacement of the store by a backup."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.errors import GatewayError, StartError
from gateway.files.closed_folders import is_folder
from gateway.files.ownership import permission_hint
from gateway.model.caller import CLI_CALLER
from gateway.store.audit_records import AuditHead
from gateway.store.cipher import Cipher
from gateway.store.relational.audit import read_known_head
from gateway.store.sqlite import schema
from gateway.store.sqlite.audit_file import AuditFile
from gateway.store.sqlite.backup_files import delete
from gateway.store.sqlite.backup_folder import CHECK_FOLDER, BackupFolder
from gateway.store.sqlite.data_keys import FileDataKeys
from gateway.store.sqlite.database import Database
from gateway.store.sqlite.erasures import apply_erasures, read_erasures
from gateway.store.sqlite.key_file import KEY_FILE, KeyFile
from gateway.store.sqlite.live_files import STORE_FILE
from gateway.store.sqlite.newer_files import read_format
from gateway.store.sqlite.sidecars import SIDECARS
from gateway.store.sqlite.store import SqliteStore

log = logging.getLogger(__name__)


def restore(backup: Path, path: Path, cipher: Cipher, audit: AuditFile) -> Path | None:
    """Replace the store by a checked backup. Return the copy of the replaced store, if there was a store.

    People who were erased from the current store are erased from the restored one too. The audit is not replaced; it
    gets a line about it. No other process may use the store. Raise StartError.
    """
    new, backups = path.with_name(f"{path.name}.restored"), BackupFolder(path.parent / "backups")
    try:
        _copy(backup, new)
        adopt_keys(backup, path, cipher)
        with closing(SqliteStore(new, cipher)) as restored:
            before = _set_aside(path, restored, cipher, audit) if path.exists() else None
            known = read_known_head(restored.database)
            detail = _restore_detail(backups.audit_name(backup), known, before)
            restored.audit.record(CLI_CALLER, "restore", detail=detail)
            restored.database.scrub()
    except (GatewayError, sqlite3.Error, OSError) as error:
        delete(new)
        raise StartError(f"The backup {backup} was not restored: {error}{permission_hint(error)}") from None
    for suffix in SIDECARS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.replace(path)
    delete(new)
    with closing(Database(path)) as database:
        audit.collect(database)
    return before


def check_backup(backup: Path, data: Path, cipher: Cipher) -> tuple[int, int]:
    """Restore a backup into a temporary folder, and read everything in it. Return the number of people and pictures.

    Only the data keys beside the backup are used, as after the loss of the data folder. Raise StartError.
    """
    with ExitStack() as stack:
        parent = data if is_folder(data) else None
        if parent is not None:
            # An erasure deletes what a check left behind that was killed. It must not delete the folder of this one.
            stack.enter_context(BackupFolder(data / "backups").locked())
        folder = stack.enter_context(TemporaryDirectory(prefix=CHECK_FOLDER, dir=parent))
        try:
            return _try(backup, Path(folder) / STORE_FILE, cipher)
        except (GatewayError, sqlite3.Error, OSError, ValueError) as error:
            reason = str(error).replace(folder, str(backup.parent)).rstrip(".")
            hint = permission_hint(error) if isinstance(error, OSError) else ""
            raise StartError(f"The backup {backup} cannot be restored: {reason}{hint}.") from None


def _try(backup: Path, path: Path, cipher: Cipher) -> tuple[int, int]:
    """Restore a backup as a store that does not exist yet, and count its people and pictures."""
    _copy(backup, path)
    keys = FileDataKeys(backup.with_name(KEY_FILE), cipher)
    if keys.has_key and keys.file.exists():
        keys.check()
    adopt_keys(backup, path, cipher)
    with closing(SqliteStore(path, cipher)) as store:
        pictures = [len(person.pictures) for person in store.archive.export_people()]
    return len(pictures), sum(pictures)


def _restore_detail(name: str, known: AuditHead | None, before: Path | None) -> str:
    """Return the detail of the audit line. ``name``: the name of the backup, from ``audit_name``.

    ``known``: the end of the audit when the backup was made. The changes after it are undone, except erasures.
    """
    fork = f", made after line {known.line}" if known else ""
    return f"{name}{fork}" + (f"; the store before it is {before.name}" if before else "")


def _copy(backup: Path, to: Path) -> None:
    if not backup.is_file():
        raise FileNotFoundError(f"there is no file {backup}")
    # Reading one byte gives a clear error where SQLite would not name a missing permission.
    with backup.open("rb") as file:
        if not file.read(1):
            raise StartError("it is empty")
    delete(to)
    to.touch(0o600)
    there = f"{backup.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(there, uri=True)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def adopt_keys(backup: Path, path: Path, cipher: Cipher) -> None:
    """Add the data keys beside a backup to those of the store, but no key that was destroyed."""
    copy, keys = KeyFile(backup.with_name(KEY_FILE)), FileDataKeys(path.with_name(KEY_FILE), cipher)
    if not keys.has_key or not copy.exists() or copy.path.absolute() == keys.file.path.absolute():
        return
    try:
        keys.adopt(copy.read())
    # The store may have all the keys that the backup needs. The check of the restored store will tell.
    except (GatewayError, ValueError) as error:
        log.warning("the data keys beside the backup are not used: %s", error)


def _set_aside(path: Path, restored: SqliteStore, cipher: Cipher, audit: AuditFile) -> Path:
    """Copy the current store. Repeat its erasures in the restored store. Return the copy."""
    if read_format(path) > schema.VERSION:
        return _set_newer_aside(path, restored)
    try:
        with closing(SqliteStore(path, cipher, audit=audit)) as store:
            apply_erasures(restored.database, read_erasures(store.database))
            return store.backups.make()
    # A damaged store may be the reason for the restore.
    except StartError:
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        log.warning("the store cannot be read, and is renamed to %s: people erased since the backup may be back", aside)
        path.replace(aside)
        return aside


def _set_newer_aside(path: Path, restored: SqliteStore) -> Path:
    """Do the same for a store of a newer version. Raise GatewayError if its erasures cannot be read."""
    to = BackupFolder(path.parent / "backups").free_path()
    with closing(Database(path, may_be_newer=True)) as newer:
        apply_erasures(restored.database, read_erasures(newer))
        to.parent.mkdir(mode=0o700, exist_ok=True)
        newer.copy(to)
    return to
