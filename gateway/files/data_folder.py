"""The lock of the data folder, which only one gateway may use."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.errors import StartError
from gateway.files.ownership import become_owner, open_lock, permission_hint


# Two gateways on one data folder would also share a client id: at each connection the broker disconnects the other.
@contextmanager
def data_folder_lock(data: Path) -> Iterator[None]:
    """Create and lock the data folder. If root runs the process, become the folder's owner. Raise StartError."""
    become_owner(data)
    try:
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)
        lock = open_lock(data / "lock")
    except OSError as error:
        raise StartError(
            f"The data folder {data} cannot be used: {error.filename}: {error.strerror}{permission_hint(error)}."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(f"A gateway is running on the data folder {data}: stop it first.") from None
        yield
