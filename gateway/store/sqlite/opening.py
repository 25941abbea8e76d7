"""The files of the store in the data folder: opening them, and restoring a backup."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import StartError
from gateway.store.cipher import Cipher
from gateway.store.limits import PeopleLimits
from gateway.store.protocols import Store
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.sqlite import restore
from gateway.store.sqlite.audit_file import AUDIT_FILE, AuditFile
from gateway.store.sqlite.data_keys import FileDataKeys
from gateway.store.sqlite.formats import check_formats
from gateway.store.sqlite.key_file import KEY_FILE
from gateway.store.sqlite.live_files import STORE_FILE
from gateway.store.sqlite.newer_files import record_version
from gateway.store.sqlite.store import SqliteStore
from gateway.store.sqlite.store_errors import store_unusable_error


def path_of_store(data: Path) -> Path:
    """Return the path of the store in the data folder."""
    return data / STORE_FILE


def store_exists(data: Path) -> bool:
    """Return whether the data folder contains a store. An empty file does not count. Raise StartError."""
    path = path_of_store(data)
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise store_unusable_error(path, error) from None


def open_store(data: Path, cipher: Cipher, limits: PeopleLimits, *, may_encrypt: bool = True) -> Store:
    """Open the store in the data folder, or create it. Raise StartError.

    ``may_encrypt``: whether a store with people may be encrypted now, with its first key.
    """
    check_formats(data)
    audit = AuditFile(data / AUDIT_FILE)
    store = SqliteStore(path_of_store(data), cipher, may_encrypt=may_encrypt, audit=audit, limits=limits)
    record_version(data)
    return store


def restore_backup(backup: Path, data: Path, cipher: Cipher) -> Path | None:
    """Replace the store by a backup, as ``restore.restore`` does. Return the copy of the replaced store.

    The store that is replaced may be of a newer version. Raise StartError.
    """
    check_formats(data, without=[STORE_FILE])
    return restore.restore(backup, path_of_store(data), cipher, AuditFile(data / AUDIT_FILE))


def check_backup(backup: Path, data: Path, cipher: Cipher) -> tuple[int, int]:
    """Check that a backup can be restored, as ``restore.check_backup`` does. Return its people and pictures."""
    return restore.check_backup(backup, data, cipher)


def check_master_key(data: Path, master: Cipher) -> bool:
    """Return whether the store is encrypted, with this key. Raise GatewayError for another key."""
    keys = FileDataKeys(data / KEY_FILE, master)
    if not keys.file.exists():
        return False
    try:
        keys.check()
    except IntactStoreError as error:
        raise StartError(f"This key cannot be used: {error}.") from None
    return True
