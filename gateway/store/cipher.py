"""Seals what is kept of faces: AES-256-GCM under a key that lies elsewhere."""

from __future__ import annotations

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import StartError

KEY_BYTES = 32
NONCE_BYTES = 12
"""Random: NIST SP 800-38D allows 2**32 of them under one key."""


class Cipher:
    """Without a key it leaves everything as it is."""

    def __init__(self, key: bytes | None) -> None:
        self.sealing = key is not None
        self._aes = AESGCM(key) if key is not None else None

    def seal(self, data: bytes, place: str) -> bytes:
        """``place``: where it is kept. Sealed data that was moved elsewhere does not open."""
        if self._aes is None:
            return data
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._aes.encrypt(nonce, data, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Raises ValueError if it was not sealed with this key for this place, or changed since."""
        if self._aes is None:
            return sealed
        try:
            return self._aes.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
        except InvalidTag:
            raise ValueError("what is sealed does not open with this key") from None


def read_key(text: str | None, subject: str = "people.key") -> bytes | None:
    """32 bytes in base64, as ``openssl rand -base64 32`` prints them. Raises StartError about ``subject``."""
    if text is None:
        return None
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise StartError(f"{subject} must be 32 bytes in base64, as `openssl rand -base64 32` prints them.")
    return key
