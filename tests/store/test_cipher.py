from __future__ import annotations

import base64

import pytest

from gateway.errors import StartError
from gateway.store.cipher import KEY_BYTES, NONCE_BYTES, Cipher, read_key
from tests.people.environment import KEY, OTHER_KEY

DATA = b"128 numbers"


def test_what_is_sealed_opens_with_the_key_at_its_place() -> None:
    cipher = Cipher(KEY)
    assert cipher.sealing
    assert Cipher(KEY).open(cipher.seal(DATA, "here"), "here") == DATA
    assert cipher.open(cipher.seal(b"", "here"), "here") == b""


def test_what_is_sealed_does_not_show() -> None:
    sealed = Cipher(KEY).seal(DATA, "here")
    assert DATA not in sealed
    assert len(sealed) == NONCE_BYTES + len(DATA) + 16


def test_the_same_is_never_sealed_twice_alike() -> None:
    cipher = Cipher(KEY)
    assert len({cipher.seal(DATA, "here")[:NONCE_BYTES] for _ in range(100)}) == 100


def test_with_another_key_it_does_not_open() -> None:
    with pytest.raises(ValueError, match="does not open"):
        Cipher(OTHER_KEY).open(Cipher(KEY).seal(DATA, "here"), "here")


def test_elsewhere_it_does_not_open() -> None:
    cipher = Cipher(KEY)
    with pytest.raises(ValueError, match="does not open"):
        cipher.open(cipher.seal(DATA, "here"), "there")


@pytest.mark.parametrize("place", [0, NONCE_BYTES, -1])
def test_what_was_changed_does_not_open(place: int) -> None:
    cipher = Cipher(KEY)
    changed = bytearray(cipher.seal(DATA, "here"))
    changed[place] ^= 1
    with pytest.raises(ValueError, match="does not open"):
        cipher.open(bytes(changed), "here")


@pytest.mark.parametrize("data", [b"", b"x", b"x" * NONCE_BYTES, b"x" * (NONCE_BYTES + 15), bytes(512)])
def test_what_was_never_sealed_does_not_open(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"does not open|Nonce"):
        Cipher(KEY).open(data, "here")


def test_without_a_key_all_stays_as_it_is() -> None:
    cipher = Cipher(None)
    assert not cipher.sealing
    assert cipher.seal(DATA, "here") == cipher.open(DATA, "there") == DATA


def test_a_key_is_32_bytes_in_base64() -> None:
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
def test_what_is_no_key_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(StartError, match="openssl rand -base64 32") as refused:
        read_key(text)
    assert not text or text not in str(refused.value)
