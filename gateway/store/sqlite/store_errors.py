"""The errors about a store that cannot be opened."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import StartError
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.sqlite.newer_files import NewerFileError

_DISK_WORDS = ("locked", "readonly", "read-only", "unable to open", "full", "I/O", "ermission")
"""Words of SQLite's messages about a disk or a permission; with these the store itself is not damaged."""


def store_unusable_error(path: Path, error: Exception) -> StartError:
    """Return the error for a store that cannot be opened, with the reason and what to do."""
    if isinstance(error, NewerFileError):
        return error
    return StartError(f"The people store {path} cannot be used ({error}){_advice(error)}")


def _advice(error: Exception) -> str:
    # Only a damaged store may be replaced: without an undamaged one everybody in it would be lost.
    if isinstance(error, IntactStoreError):
        return ". Leave the store where it is: nothing in it is damaged."
    if isinstance(error, OSError) or any(word in str(error) for word in _DISK_WORDS):
        return ": check the disk, and who may read and write the data folder. Do not replace the store by a backup."
    return (
        ": restore a backup (`facegate restore`). Without a backup move the store away: known_faces/ is then imported"
        " again, and all people who were enrolled in another way are lost."
    )
