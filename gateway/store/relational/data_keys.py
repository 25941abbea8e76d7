"""The data keys: one for each person, and one for all faces without a name. Each is encrypted with the master key.

After the data key of a person was destroyed, nobody can read the records of that person, in any copy of the store.
Without a master key nothing is encrypted, and there are no data keys.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.errors import Busy, GatewayError
from gateway.store.cipher import KEY_BYTES, Cipher
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.sealing import SealedRecords, is_key_of, read_descriptors, seal_key_check

NOBODY = ""
"""The owner of all records that show no enrolled person: unknown groups, and sightings without a name."""

MAX_OPENED_KEYS = 1_000
"""The data keys that stay decrypted in memory, at 2.5 kB each. All people are only read one after the other."""


class KeyStorage(Protocol):
    """The place of the encrypted data keys. Several threads may share the object, and several processes the keys.

    A destroyed key is None: it stays in its place, so that no copy brings the key back. A method raises GatewayError if
    the place cannot be used.
    """

    @property
    def name(self) -> str:
        """The name of the place for messages, such as the path of a file."""

    @property
    def advice(self) -> str:
        """The part of a message that says what to do if keys are damaged."""

    def state(self) -> object:
        """Return a value that differs after keys were destroyed or replaced. It is called often. It raises nothing."""

    def find(self, owners: Collection[str]) -> Mapping[str, bytes | None]:
        """Return the keys of those of the owners who have, or had, one."""

    def find_all(self) -> Mapping[str, bytes | None]:
        """Return all keys by their owners."""

    def add(self, keys: Mapping[str, bytes]) -> None:
        """Add keys. Those that are in the place already stay."""

    def replace(self, key_check: bytes, keys: Mapping[str, bytes | None]) -> None:
        """Replace all keys by the same keys, encrypted with the master key that ``key_check`` belongs to."""


class DataKeys:
    """The data keys by their owners: the uid of a person, or NOBODY. Several threads may share the object.

    The object takes part in the transactions of the database (``Participant``).
    """

    def __init__(self, storage: KeyStorage, master: Cipher) -> None:
        self._storage = storage
        self._master = master
        self._plain = SealedRecords(Cipher(None))
        self._new = _NewKeys()
        self._opened: dict[str, SealedRecords] = {}
        self._state: object = None

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
        if (opened := self._find_opened(owner)) is not None:
            return opened
        state = self._state
        records = self._open(owner, self._find([owner]))
        # The key may have been destroyed since.
        if self._storage.state() == state == self._state:
            if len(self._opened) >= MAX_OPENED_KEYS:
                self._opened.clear()
            self._opened[owner] = records
        return records

    def of_new(self, owner: str) -> SealedRecords:
        """Return the records of an owner, who gets a data key if there is none. Call it within a transaction.

        Raise GatewayError if the data key of the owner was destroyed.
        """
        if not self.has_key:
            return self._plain
        if (opened := self._find_opened(owner)) is not None:
            return opened
        found = self._storage.find([owner])
        if owner not in found:
            key = secrets.token_bytes(KEY_BYTES)
            return self._new.add(owner, self._master.seal(key, _place(owner)), SealedRecords(Cipher(key)))
        try:
            return self._open(owner, found)
        except ValueError as error:
            raise GatewayError(str(error)) from None

    def open_descriptors(
        self, owners: Sequence[str], digests: Sequence[str], blobs: Sequence[bytes], recipe: str
    ) -> NDArray[np.float32]:
        """Return the descriptors of pictures as float32 of shape (n, d). Raise ValueError if one of them is damaged."""
        if not self.has_key:
            return read_descriptors(blobs, recipe)
        opened: list[bytes] = []
        pictures = list(zip(owners, digests, blobs, strict=True))
        # The keys of many people are found together, but not those of all: see MAX_OPENED_KEYS.
        for start in range(0, len(pictures), MAX_OPENED_KEYS):
            block = pictures[start : start + MAX_OPENED_KEYS]
            records = self._of_each({owner for owner, _, _ in block})
            opened += [records[owner].open_descriptor_bytes(blob, digest) for owner, digest, blob in block]
        return read_descriptors(opened, recipe)

    def find_lost(self, owners: Collection[str]) -> tuple[list[str], list[str]]:
        """Return the owners whose data keys are missing, and those whose data keys were destroyed."""
        found = self._storage.find(owners)
        missing = [owner for owner in owners if owner not in found]
        return missing, [owner for owner in owners if owner in found and found[owner] is None]

    def rotate(self, master: Cipher) -> None:
        """Encrypt all data keys with another master key. No other process may use the store. Raise GatewayError."""
        keys = {
            owner: None if key is None else master.seal(self._master.open(key, _place(owner)), _place(owner))
            for owner, key in self._storage.find_all().items()
        }
        self._storage.replace(seal_key_check(master), keys)
        self._master = master

    def before_commit(self) -> None:
        """Write the new keys, before anything that is encrypted with them. Raise GatewayError."""
        if self._new.keys:
            self._storage.add(self._new.keys)

    def after_commit(self) -> None:
        """Forget that the keys are new."""
        self._new.clear()

    def after_rollback(self) -> None:
        """Forget the new keys."""
        self._new.clear()

    def _find_opened(self, owner: str) -> SealedRecords | None:
        """Return the records of a new owner, or of one whose key was used before."""
        if (state := self._storage.state()) != self._state:
            self._opened.clear()
            self._state = state
        return self._new.records.get(owner) or self._opened.get(owner)

    def _of_each(self, owners: Collection[str]) -> Mapping[str, SealedRecords]:
        """Return the records of each owner. Raise IntactStoreError."""
        keys = self._find(owners)
        return {owner: self._new.records.get(owner) or self._open(owner, keys) for owner in owners}

    def _find(self, owners: Collection[str]) -> Mapping[str, bytes | None]:
        """Return the keys of owners. Raise IntactStoreError if they cannot be read, and Busy if they can be later."""
        try:
            return self._storage.find(owners)
        # Nothing is wrong with the store: another try may succeed.
        except Busy:
            raise
        except GatewayError as error:
            raise IntactStoreError(str(error)) from None

    def _open(self, owner: str, keys: Mapping[str, bytes | None]) -> SealedRecords:
        """Return the records of an owner, whose key is among these. Raise IntactStoreError."""
        if (key := keys.get(owner)) is None:
            state = "was destroyed" if owner in keys else f"is missing in {self._storage.name}"
            raise IntactStoreError(f"the data key of a record {state}")
        try:
            return SealedRecords(Cipher(self._master.open(key, _place(owner))))
        except ValueError:
            raise IntactStoreError(f"a data key in {self._storage.name} is damaged: {self._storage.advice}") from None


class _NewKeys(threading.local):
    """The keys of the transaction of this thread, which has not ended. Another thread may have one of its own."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.records: dict[str, SealedRecords] = {}

    def add(self, owner: str, key: bytes, records: SealedRecords) -> SealedRecords:
        """Add an encrypted key, and return the records of its owner."""
        self.keys[owner], self.records[owner] = key, records
        return records

    def clear(self) -> None:
        """Forget all keys."""
        self.keys.clear()
        self.records.clear()


NO_KEY = (
    "it is encrypted, and no key is set: set people.key or people.key_file to the key that it was encrypted with. Only"
    " root can read the key in /etc/facegate/secrets: run a command with sudo"
)
NOT_ENCRYPTED_YET = (
    "it is not encrypted yet, and people.key is set: start the gateway once, which encrypts the store with that key"
)
"""The reasons why a store without a key check, or without a key, is not opened."""


def wrong_key_message(place: str) -> str:
    """Return the sentence for a place that is encrypted with another master key."""
    return (
        f"{place} is encrypted with another key: set people.key or people.key_file to the key that it was encrypted"
        " with; after `facegate key rotate` that is the new key"
    )


def _place(owner: str) -> str:
    return f"data key of {owner}"
