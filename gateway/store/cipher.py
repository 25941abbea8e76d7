"""Encryption of stored faces: AES-256-GCM with a key from outside the store."""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import StartError

KEY_BYTES = 32
NONCE_BYTES = 12
"""The length of a random nonce. NIST SP 800-38D allows 2**32 random nonces for one key."""


class Cipher:
    """Encrypts and decrypts with one key. Without a key all data stays as it is."""

    def __init__(self, key: bytes | None) -> None:
        self.has_key = key is not None
        self._aes = AESGCM(key) if key is not None else None

    def seal(self, data: bytes, place: str) -> bytes:
        """Return the encrypted data, which can be decrypted with the same ``place`` only.

        ``place`` names the row and column of the data, so that a copy in another row cannot be decrypted.
        """
        if self._aes is None:
            return data
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, data, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return the decrypted data. Raise ValueError for another key, another ``place`` or changed data."""
        if self._aes is None:
            return sealed
        try:
            return self._aes.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
        except InvalidTag:
            raise ValueError("the encrypted data cannot be decrypted with this key") from None


def make_key() -> str:
    """Return a new random key in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def read_key(text: str | None, subject: str = "people.key") -> bytes | None:
    """Return the 32 bytes of a key in base64, as ``openssl rand -base64 32`` prints it.

    Raise StartError for other text; ``subject`` names the setting in its message.
    """
    if text is None:
        return None
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise StartError(f"{subject} must be 32 bytes in base64, as `openssl rand -base64 32` prints them.")
    return key
