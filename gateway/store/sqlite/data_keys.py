"""The data keys: one for each person, and one for all faces without a name. Each is encrypted with the master key.

After the data key of a person was destroyed, nobody can read the records of that person, in any copy of the store.
Without a master key nothing is encrypted, and there are no data keys.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.errors import GatewayError
from gateway.store.cipher import KEY_BYTES, Cipher
from gateway.store.sealing import SealedRecords, is_key_of, read_descriptors, seal_key_check
from gateway.store.sqlite.key_file import KeyFile, KeyFileContent
from gateway.store.sqlite.store_errors import IntactStoreError

NOBODY = ""
"""The owner of all records that show no enrolled person: unknown groups, and sightings without a name."""

MAX_OPENED_KEYS = 1_000
"""The data keys that stay decrypted in memory, at 2.5 kB each. All people are only read one after the other."""

COPY_ADVICE = "put the newest copy of that file back, from data/backups or from beside the newest backup"
"""The advice for a file of data keys that is missing, damaged or too old."""


class DataKeys:
    """The data keys by their owners: the uid of a person, or NOBODY. Several threads may share the object."""

    def __init__(self, path: Path, master: Cipher) -> None:
        self.file = KeyFile(path)
        self._master = master
        self._plain = SealedRecords(Cipher(None))
        self._lock = threading.RLock()
        self._keys: dict[str, bytes | None] = {}
        self._key_check = b""
        self._state: object = None
        # The keys of a transaction that has not ended.
        self._new: dict[str, bytes] = {}
        self._opened: dict[str, SealedRecords] = {}

    @property
    def has_key(self) -> bool:
        """True if the store is encrypted."""
        return self._master.has_key

    @property
    def master_records(self) -> SealedRecords:
        """Records that are encrypted with the master key itself, as in stores before version 9."""
        return SealedRecords(self._master)

    def is_master_of(self, key_check: bytes) -> bool:
        """Return whether a text from ``seal_key_check`` was encrypted with the master key."""
        return is_key_of(self._master, key_check)

    def of(self, owner: str) -> SealedRecords:
        """Return the records of an owner. Raise ValueError if the owner has no data key."""
        if not self.has_key:
            return self._plain
        with self._lock:
            self._read_changes()
            if (found := self._opened.get(owner)) is None:
                found = SealedRecords(Cipher(self._decrypt(owner)))
                if len(self._opened) >= MAX_OPENED_KEYS:
                    self._opened.clear()
                self._opened[owner] = found
            return found

    def of_new(self, owner: str) -> SealedRecords:
        """Return the records of an owner, who gets a data key if there is none. Call it within a transaction.

        Raise GatewayError if the data key of the owner was destroyed.
        """
        if not self.has_key:
            return self._plain
        with self._lock:
            self._read_changes()
            if owner not in self._keys and owner not in self._new:
                self._new[owner] = self._master.seal(secrets.token_bytes(KEY_BYTES), _place(owner))
            try:
                return self.of(owner)
            except ValueError as error:
                raise GatewayError(str(error)) from None

    def open_descriptors(
        self, owners: Sequence[str], digests: Sequence[str], blobs: Sequence[bytes], recipe: str
    ) -> NDArray[np.float32]:
        """Return the descriptors of pictures as float32 of shape (n, d). Raise ValueError if one of them is damaged."""
        if not self.has_key:
            return read_descriptors(blobs, recipe)
        opened, last, records = [], None, self._plain
        for owner, digest, blob in zip(owners, digests, blobs, strict=True):
            # The pictures of a person follow each other.
            if owner != last:
                last, records = owner, self.of(owner)
            opened.append(records.open_descriptor_bytes(blob, digest))
        return read_descriptors(opened, recipe)

    def before_commit(self) -> None:
        """Write the keys of the transaction, before anything that is encrypted with them. Raise GatewayError."""
        with self._lock:
            if self._new:
                self.file.add(self._new, self._key_check)
                self._keys.update(self._new)
                self._new.clear()
                # Without this each new person would make the whole file be read again.
                self._state = self.file.state()

    def after_rollback(self) -> None:
        """Forget the keys of the transaction."""
        with self._lock:
            for owner in self._new:
                self._opened.pop(owner, None)
            self._new.clear()

    def prepare(self) -> None:
        """Check the file, or create it. Raise IntactStoreError or GatewayError."""
        if not self.file.exists():
            self.file.create(seal_key_check(self._master))
        self.check()

    def check(self) -> None:
        """Read the file, and check that its master key is this one. Raise IntactStoreError or GatewayError."""
        if not self.file.exists():
            raise IntactStoreError(f"it is encrypted, and its data keys {self.file.path} are missing: {COPY_ADVICE}")
        try:
            content = self.file.read()
        except GatewayError as error:
            raise IntactStoreError(f"{error}: check who may read that file. If it is damaged, {COPY_ADVICE}") from None
        if not self.is_master_of(content.key_check):
            raise IntactStoreError(wrong_key_message(str(self.file.path)))
        with self._lock:
            self._read()

    def find_lost(self, owners: Collection[str]) -> tuple[list[str], list[str]]:
        """Return the owners whose data keys are missing, and those whose data keys were destroyed."""
        with self._lock:
            self._read()
            missing = [owner for owner in owners if owner not in self._keys]
            return missing, [owner for owner in owners if owner in self._keys and self._keys[owner] is None]

    def destroy(self, owners: Iterable[str], copy: Path) -> None:
        """Destroy the data keys of erased people, also in a copy of the file. Raise GatewayError."""
        owners = list(owners)
        # The copy comes second: see ``KeyFile.copy``. If the process ends in between, this is done again.
        for file in (self.file, KeyFile(copy)):
            if file.exists():
                file.destroy(owners)

    def adopt(self, content: KeyFileContent) -> None:
        """Add the keys of a copy of the file that this file does not know. Create the file if it is missing.

        Nothing happens if the copy belongs to another master key. Raise GatewayError.
        """
        if not self.is_master_of(content.key_check):
            return
        if not self.file.exists():
            self.file.create(content.key_check, file_id=content.id)
        self.check()
        with self._lock:
            self.file.add(content.keys, self._key_check)
            self._read()

    def rotate(self, master: Cipher) -> None:
        """Encrypt all data keys with another master key. No other process may use the store. Raise GatewayError."""
        with self._lock:
            self.check()
            keys = {
                owner: None if key is None else master.seal(self._master.open(key, _place(owner)), _place(owner))
                for owner, key in self._keys.items()
            }
            self.file.replace_keys(seal_key_check(master), keys)
            self._master = master
            self._read()

    def _decrypt(self, owner: str) -> bytes:
        if owner not in self._new and owner not in self._keys:
            # The time of a change may be too coarse to tell it from the change before.
            with suppress(GatewayError):
                self._read()
        if (key := self._new.get(owner) or self._keys.get(owner)) is None:
            state = "was destroyed" if owner in self._keys else f"is missing in {self.file.path}"
            raise IntactStoreError(f"the data key of a record {state}")
        try:
            return self._master.open(key, _place(owner))
        except ValueError:
            raise IntactStoreError(f"a data key in {self.file.path} is damaged: {COPY_ADVICE}") from None

    def _read_changes(self) -> None:
        # While the file cannot be read, and after a rotation by another process, the keys in memory are as good.
        with suppress(GatewayError):
            if self.file.state() != self._state:
                self._read()

    def _read(self) -> None:
        state, content = self.file.state(), self.file.read()
        if not self.is_master_of(content.key_check):
            raise GatewayError(f"the master key of {self.file.path} was changed by another process: start again")
        self._state, self._key_check, self._keys = state, content.key_check, dict(content.keys)
        self._opened.clear()


def wrong_key_message(file: str) -> str:
    """Return the sentence for a file that is encrypted with another master key."""
    return (
        f"{file} is encrypted with another key: set people.key or people.key_file to the key that it was encrypted"
        " with; after `facegate key rotate` that is the new key"
    )


def _place(owner: str) -> str:
    return f"data key of {owner}"
