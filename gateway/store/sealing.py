"""The data of faces as a store's records contain it: encrypted where there is a key, and checked when it is read.

Every store uses this module, so that a record can be read by any of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.errors import GatewayError
from gateway.model import Descriptor
from gateway.model.recipes import dimensions_of
from gateway.store.cipher import Cipher
from gateway.store.records import Picture, StoredFace

_FLOAT32 = np.dtype("<f4")

_KEY_CHECK = b"facegate seals with this key"
"""The plain text that a store keeps encrypted, so that it recognises its key. Stores of every version contain it."""

_MAX_NORM_ERROR = 2e-3

Places = tuple[str, str, str]
"""The places of the three encrypted fields of a face."""


class SealedRecords:
    """Encrypts and decrypts the fields of records with one key: the data key of their owner.

    The places below are a part of the encryption: stores of every version contain data with exactly these places.
    """

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    @property
    def has_key(self) -> bool:
        """True if the data is encrypted."""
        return self._cipher.has_key

    def seal(self, data: bytes | None, place: str) -> bytes | None:
        """Return the encrypted data, None for None."""
        return None if data is None else self._cipher.seal(data, place)

    def open(self, data: bytes | None, place: str) -> bytes | None:
        """Return the decrypted data, None for None. Raise ValueError for another key or place, or changed data."""
        return None if data is None else self._cipher.open(data, place)

    def seal_picture(self, picture: Picture) -> tuple[bytes, bytes | None, bytes | None]:
        """Return the encrypted descriptor, chips and original of a picture. Raise as ``seal_descriptor``."""
        return (
            self.seal_descriptor(picture.face.descriptor, picture.digest, picture.recipe),
            self.seal(picture.face.chips, f"chips of {picture.digest}"),
            self.seal(picture.original, f"original of {picture.digest}"),
        )

    def reseal(self, fields: Sequence[bytes | None], places: Sequence[str], new: SealedRecords) -> list[bytes | None]:
        """Return encrypted fields of a record, encrypted with the key of other records. Raise ValueError for damage."""
        pairs = zip(fields, places, strict=True)
        return [new.seal(self.open(field, place), place) for field, place in pairs]

    def open_face(self, descriptor: bytes, chips: bytes | None, digest: str, recipe: str) -> StoredFace:
        """Return the face of a picture. Raise ValueError if a field is damaged."""
        return StoredFace(self.open_descriptor(descriptor, digest, recipe), self.open_chips(chips, digest))

    def open_chips(self, chips: bytes | None, digest: str) -> bytes | None:
        """Return the chips of a picture. Raise ValueError if they are damaged."""
        return self.open(chips, f"chips of {digest}")

    def open_original(self, original: bytes | None, digest: str) -> bytes | None:
        """Return the picture itself. Raise ValueError if it is damaged."""
        return self.open(original, f"original of {digest}")

    def seal_descriptor(self, descriptor: Descriptor, digest: str, recipe: str) -> bytes:
        """Return the encrypted descriptor, as little-endian float32.

        Raise GatewayError for a descriptor that ``open_descriptor`` would refuse: a single one makes a store unusable.
        """
        if descriptor.shape != (dimensions_of(recipe),) or not _are_of_unit_length(descriptor[None]):
            raise GatewayError("the descriptor of a face is invalid, so it is not stored")
        return self._cipher.seal(descriptor.astype(_FLOAT32).tobytes(), f"descriptor of {digest}")

    def open_descriptor(self, blob: bytes, digest: str, recipe: str) -> Descriptor:
        """Return a descriptor of a recipe as float32 of shape (d,). Raise ValueError if it is damaged."""
        found: Descriptor = read_descriptors([self.open_descriptor_bytes(blob, digest)], recipe)[0]
        return found

    def open_descriptor_bytes(self, blob: bytes, digest: str) -> bytes:
        """Return the decrypted descriptor, for ``read_descriptors``. Raise ValueError if it is damaged."""
        if not isinstance(blob, bytes):
            raise ValueError("a stored picture in it is damaged")
        return self._cipher.open(blob, f"descriptor of {digest}")

    def open_images(self, chips: bytes | None, crop: bytes | None, place: str) -> tuple[bytes | None, bytes | None]:
        """Return the chips and the crop of a face of an unknown group. Raise ValueError if one is damaged."""
        return self.open(chips, place), self.open(crop, place)

    def seal_sighting_face(
        self, face: StoredFace, sighting: str, recipe: str
    ) -> tuple[bytes, bytes | None, bytes | None]:
        """Return the encrypted descriptor, chips and crop of a sighting's face. Raise as ``seal_descriptor``."""
        place = sighting_place(sighting)
        return (
            self.seal_descriptor(face.descriptor, place, recipe),
            self.seal(face.chips, f"chips of {place}"),
            self.seal(face.crop, f"crop of {place}"),
        )

    def open_crop(self, crop: bytes | None, sighting: str) -> bytes | None:
        """Return the crop of a sighting. Raise ValueError if it is damaged."""
        return self.open(crop, f"crop of {sighting_place(sighting)}")

    def open_sighting_face(
        self, descriptor: bytes, chips: bytes | None, crop: bytes | None, sighting: str, recipe: str
    ) -> StoredFace:
        """Return the face of a sighting. Raise ValueError if a field is damaged."""
        place = sighting_place(sighting)
        opened = self.open(chips, f"chips of {place}"), self.open_crop(crop, sighting)
        return StoredFace(self.open_descriptor(descriptor, place, recipe), *opened)


def seal_key_check(master: Cipher) -> bytes:
    """Return the encrypted text by which a store recognises its master key."""
    return master.seal(_KEY_CHECK, "seal")


def is_key_of(master: Cipher, key_check: bytes) -> bool:
    """Return whether a text from ``seal_key_check`` was encrypted with this master key."""
    try:
        return master.open(key_check, "seal") == _KEY_CHECK
    except ValueError:
        return False


def read_descriptors(blobs: Sequence[bytes], recipe: str) -> NDArray[np.float32]:
    """Return descriptors of one recipe as float32 of shape (n, d). Raise ValueError if one of them is damaged."""
    dimensions = dimensions_of(recipe)
    if not all(isinstance(blob, bytes) for blob in blobs):
        raise ValueError("a stored picture in it is damaged")
    if any(len(blob) != dimensions * _FLOAT32.itemsize for blob in blobs):
        raise ValueError("a stored picture in it is damaged, or encrypted with a key that is not given")
    found = np.frombuffer(b"".join(blobs), _FLOAT32).reshape(-1, dimensions).astype(np.float32)
    # A flipped bit may make a descriptor so long that it resembles everybody, and the database notices nothing.
    if not _are_of_unit_length(found):
        raise ValueError("a stored picture in it is damaged")
    return found


def picture_places(digest: str) -> Places:
    """Return the places of a picture's descriptor, chips and original."""
    return f"descriptor of {digest}", f"chips of {digest}", f"original of {digest}"


def unknown_places(unknown: int) -> Places:
    """Return the places of the descriptor, the chips and the crop of a face of an unknown group."""
    place = f"unknown {unknown}"
    return f"descriptor of {place}", place, place


def sighting_places(sighting: str) -> Places:
    """Return the places of the descriptor, the chips and the crop of a sighting's face."""
    place = sighting_place(sighting)
    return f"descriptor of {place}", f"chips of {place}", f"crop of {place}"


def sighting_place(sighting: str) -> str:
    """Return the name of a sighting in the places of its fields. ``sighting``: its id."""
    return f"sighting {sighting}"


def evidence_place(sighting: str) -> str:
    """Return the place of a sighting's evidence."""
    return f"evidence of {sighting_place(sighting)}"


def _are_of_unit_length(descriptors: NDArray[np.float32]) -> bool:
    """Return whether all descriptors, (n, d), have a length of 1."""
    with np.errstate(all="ignore"):
        squared_norms = np.square(descriptors).sum(axis=1)
    # The comparison is written so that NaN fails too.
    return bool((abs(squared_norms - 1) < _MAX_NORM_ERROR).all())
