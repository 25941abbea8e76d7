"""The encryption of stored data."""

from __future__ import annotations

import base64

import pytest

from gateway.errors import StartError
from gateway.store.cipher import KEY_BYTES, NONCE_BYTES, Cipher, read_key
from tests.people.environment import KEY, OTHER_KEY

DATA = b"128 numbers"


def test_cipher_decrypts_with_the_same_key_and_place() -> None:
    cipher = Cipher(KEY)
    assert cipher.has_key
    assert Cipher(KEY).open(cipher.seal(DATA, "here"), "here") == DATA
    assert cipher.open(cipher.seal(b"", "here"), "here") == b""


def test_encrypted_data_does_not_contain_the_plain_data() -> None:
    sealed = Cipher(KEY).seal(DATA, "here")
    assert DATA not in sealed
    assert len(sealed) == NONCE_BYTES + len(DATA) + 16


def test_cipher_never_uses_a_nonce_twice() -> None:
    cipher = Cipher(KEY)
    assert len({cipher.seal(DATA, "here")[:NONCE_BYTES] for _ in range(100)}) == 100


def test_cipher_refuses_data_of_another_key() -> None:
    with pytest.raises(ValueError, match="cannot be decrypted"):
        Cipher(OTHER_KEY).open(Cipher(KEY).seal(DATA, "here"), "here")


def test_cipher_refuses_data_of_another_place() -> None:
    cipher = Cipher(KEY)
    with pytest.raises(ValueError, match="cannot be decrypted"):
        cipher.open(cipher.seal(DATA, "here"), "there")


@pytest.mark.parametrize("place", [0, NONCE_BYTES, -1])
def test_cipher_refuses_changed_data(place: int) -> None:
    cipher = Cipher(KEY)
    changed = bytearray(cipher.seal(DATA, "here"))
    changed[place] ^= 1
    with pytest.raises(ValueError, match="cannot be decrypted"):
        cipher.open(bytes(changed), "here")


@pytest.mark.parametrize("data", [b"", b"x", b"x" * NONCE_BYTES, b"x" * (NONCE_BYTES + 15), bytes(512)])
def test_cipher_refuses_data_that_was_never_encrypted(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"cannot be decrypted|Nonce"):
        Cipher(KEY).open(data, "here")


def test_cipher_without_a_key_changes_nothing() -> None:
    cipher = Cipher(None)
    assert not cipher.has_key
    assert cipher.seal(DATA, "here") == cipher.open(DATA, "there") == DATA


def test_read_key_takes_32_bytes_in_base64() -> None:
    text = base64.b64encode(KEY).decode()
    assert read_key(text) == read_key(f" {text}\n") == KEY
    assert read_key(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        base64.b64encode(bytes(KEY_BYTES - 1)).decode(),
        base64.b64encode(bytes(KEY_BYTES + 1)).decode(),
        base64.b64encode(KEY).decode().replace("A", "*", 1),
        "ü" * 44,
        KEY.hex(),
    ],
)
def test_read_key_refuses_other_text_without_quoting_it(text: str) -> None:
    with pytest.raises(StartError, match="openssl rand -base64 32") as refused:
        read_key(text)
    assert not text or text not in str(refused.value)
