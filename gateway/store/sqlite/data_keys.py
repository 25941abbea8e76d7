"""The data keys in a file of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from gateway.errors import GatewayError
from gateway.store.cipher import Cipher
from gateway.store.relational.data_keys import DataKeys, wrong_key_message
from gateway.store.relational.store_errors import IntactStoreError
from gateway.store.sealing import is_key_of, seal_key_check
from gateway.store.sqlite.key_file import FileState, KeyFile, KeyFileContent

COPY_ADVICE = "put the newest copy of that file back, from data/backups or from beside the newest backup"
"""The advice for a file of data keys that is missing, damaged or too old."""

COARSE_TIME_NS = 10**9
"""A file that was changed so shortly before it was read may be changed again without another time of change."""


class FileKeyStorage:
    """The keys in a file, which are all read into memory, as relational.KeyStorage describes them."""

    advice = COPY_ADVICE

    def __init__(self, file: KeyFile, master: Cipher) -> None:
        self._file = file
        self._master = master
        self._lock = threading.RLock()
        self._keys: dict[str, bytes | None] = {}
        self._key_check = b""
        self._file_state: FileState | None = None
        self._is_recent = True
        # The number of times that the file was read.
        self._readings = 0

    @property
    def name(self) -> str:
        return str(self._file.path)

    def state(self) -> object:
        with self._lock:
            # While the file cannot be read, and after a rotation by another process, the keys in memory are as good.
            with suppress(GatewayError):
                if self._file.state() != self._file_state:
                    self.read()
            return self._readings

    def find(self, owners: Collection[str]) -> Mapping[str, bytes | None]:
        with self._lock:
            self.state()
            missing = [owner for owner in owners if owner not in self._keys]
            if missing and self._is_recent:
                with suppress(GatewayError):
                    self._keys.update(self._file.find(missing, self._key_check))
            return {owner: self._keys[owner] for owner in owners if owner in self._keys}

    def find_all(self) -> Mapping[str, bytes | None]:
        with self._lock:
            self.read()
            return dict(self._keys)

    def add(self, keys: Mapping[str, bytes | None]) -> None:
        with self._lock:
            self._file.add(keys, self._key_check)
            self._keys.update(keys)
            # Without this each new person would make the whole file be read again.
            self._note(self._file.state())

    def replace(self, key_check: bytes, keys: Mapping[str, bytes | None]) -> None:
        with self._lock:
            self._file.replace_keys(key_check, keys)
            self._keys, self._key_check = dict(keys), key_check
            self._note(self._file.state())

    def read(self) -> None:
        """Read the whole file. Raise GatewayError, also if it is encrypted with another master key."""
        with self._lock:
            state, content = self._file.state(), self._file.read()
            if not is_key_of(self._master, content.key_check):
                raise GatewayError(f"the master key of {self.name} was changed by another process: start again")
            self._key_check, self._keys = content.key_check, dict(content.keys)
            self._readings += 1
            self._note(state)

    def _note(self, state: FileState) -> None:
        self._file_state = state
        self._is_recent = time.time_ns() - state.changed_ns < COARSE_TIME_NS


class FileDataKeys(DataKeys):
    """The data keys in a file. Several threads may share the object, and several processes the file."""

    def __init__(self, path: Path, master: Cipher) -> None:
        self.file = KeyFile(path)
        self._stored = FileKeyStorage(self.file, master)
        super().__init__(self._stored, master)

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
        self._stored.read()

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
        self._stored.add(content.keys)
