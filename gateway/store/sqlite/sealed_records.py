"""What the store's rows hold of faces: sealed and opened, checked, and gathered for the gallery."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.model import PERSON_ID, Descriptor, Person
from gateway.store.cipher import Cipher
from gateway.store.records import GallerySnapshot, Picture, StoredFace
from gateway.store.sqlite.database import Database, IntactStoreError, Row

_FLOAT32 = np.dtype("<f4")
DESCRIPTOR_BYTES = 128 * _FLOAT32.itemsize
SEALS = b"facegate seals with this key"
"""Kept sealed, to know the key again."""


class SealedRecords:
    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def packed(self, picture: Picture) -> tuple[bytes, bytes | None, bytes | None]:
        """Descriptor, chips and original, sealed."""
        return (
            self.descriptor_sealed(picture.face.descriptor, picture.digest),
            self.sealed(picture.face.chips, f"chips of {picture.digest}"),
            self.sealed(picture.original, f"original of {picture.digest}"),
        )

    def sealed(self, data: bytes | None, place: str) -> bytes | None:
        return None if data is None else self._cipher.seal(data, place)

    def opened(self, data: bytes | None, place: str) -> bytes | None:
        """Raises ValueError."""
        return None if data is None else self._cipher.open(data, place)

    def descriptor_sealed(self, descriptor: Descriptor, digest: str) -> bytes:
        return self._cipher.seal(descriptor.astype(_FLOAT32).tobytes(), f"descriptor of {digest}")

    def descriptor(self, blob: bytes, digest: str) -> Descriptor:
        """Raises ValueError."""
        found: Descriptor = self.descriptors([blob], [digest])[0]
        return found

    def descriptors(self, blobs: Sequence[bytes], digests: Sequence[str]) -> NDArray[np.float32]:
        """(n, 128). Raises ValueError if one of them is none.

        A flipped bit may make it so long that everybody resembles it, and SQLite itself sees no harm.
        """
        if not all(isinstance(blob, bytes) for blob in blobs):
            raise ValueError("a known picture in it is damaged")
        if self._cipher.has_key:
            blobs = [
                self._cipher.open(blob, f"descriptor of {each}") for blob, each in zip(blobs, digests, strict=True)
            ]
        if any(len(blob) != DESCRIPTOR_BYTES for blob in blobs):
            raise ValueError("a known picture in it is damaged, or sealed with a key that is not given")
        found = np.frombuffer(b"".join(blobs), _FLOAT32).reshape(-1, 128).astype(np.float32)
        with np.errstate(all="ignore"):
            lengths = np.square(found).sum(axis=1)
        if not (abs(lengths - 1) < 2e-3).all():  # NaN fails too
            raise ValueError("a known picture in it is damaged")
        return found

    def described(self, row: Row | None, digest: str) -> StoredFace | None:
        """Of (descriptor, chips)."""
        if row is None:
            return None
        return StoredFace(self.descriptor(row[0], digest), self.opened(row[1], f"chips of {digest}"))

    def picture(self, row: Row) -> Picture:
        """Of (digest, source, recipe, descriptor, chips, original, counter, …)."""
        digest, source, recipe, descriptor, chips, original, counter, *_ = row
        face = StoredFace(self.descriptor(descriptor, digest), self.opened(chips, f"chips of {digest}"))
        return Picture(digest, source, recipe, face, self.opened(original, f"original of {digest}"), bool(counter))

    def check(self, database: Database, seals: bool) -> bool:
        """That the key is right. Whether it was given for the first time, and all was sealed with it.

        Raises ValueError.
        """
        seal = database.row("SELECT value FROM meta WHERE key = 'seal'")
        if seal is None and self._cipher.has_key:
            if not seals and database.row("SELECT 1 FROM people"):
                raise IntactStoreError(
                    "it is not encrypted yet, and people.key is given: start the gateway with that key once"
                )
            self._seal_all(database)
        elif seal is not None and not self._cipher.has_key:
            raise IntactStoreError(
                "it is encrypted, and people.key is not given: set it, or people.key_file, to the key of before"
            )
        elif seal is not None and not self._opens(seal[0]):
            raise IntactStoreError(
                "it is encrypted with another key: set people.key, or people.key_file, to the key of before"
            )
        database.row("SELECT person, digest, source, recipe, descriptor, chips, original, counter FROM pictures")
        for (slug,) in database.rows("SELECT slug FROM people NOT INDEXED"):
            if not isinstance(slug, str) or not PERSON_ID.fullmatch(slug):
                raise ValueError("a person in it is damaged")
        return seal is None and self._cipher.has_key

    def _opens(self, seal: bytes) -> bool:
        """Return whether the key is the one that the store was encrypted with."""
        try:
            return self._cipher.open(seal, "seal") == SEALS
        except ValueError:
            return False

    def read_snapshot(self, db: sqlite3.Connection, since: int, to: int, recipe: str) -> GallerySnapshot:
        """Everybody who last changed after one revision, and not after the other."""
        rows = db.execute(
            "SELECT p.id, slug, name, digest, descriptor, counter FROM people p INDEXED BY people_by_revision"
            " CROSS JOIN pictures ON person = p.id"  # in that order: one change would else read everybody
            " WHERE revision > ? AND revision <= ? AND recipe = ? ORDER BY p.id",
            (since, to, recipe),
        ).fetchall()
        if not rows:
            return GallerySnapshot(_keys(()), (), _no_faces(), _keys(()), _no_faces(), _keys(()))
        keys, slugs, names, digests, blobs, counter = zip(*rows, strict=True)
        faces = self.descriptors(blobs, digests)
        against = np.array(counter, bool)
        owners, firsts, pictures = np.unique(_keys(keys)[~against], return_index=True, return_counts=True)
        sums = _sums(faces[~against], firsts, pictures)
        means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        places = np.flatnonzero(~against)[firsts]
        people = [Person(slugs[n], names[n]) for n in places.tolist()]
        return GallerySnapshot(owners, people, means, pictures.astype(np.int64), faces[against], _keys(keys)[against])

    def _seal_all(self, database: Database) -> None:
        with database.transaction() as db:
            for digest, person, descriptor, chips, original in db.execute(
                "SELECT digest, person, descriptor, chips, original FROM pictures"
            ).fetchall():
                db.execute(
                    "UPDATE pictures SET descriptor = ?, chips = ?, original = ? WHERE digest = ? AND person = ?",
                    (
                        self._cipher.seal(descriptor, f"descriptor of {digest}"),
                        self.sealed(chips, f"chips of {digest}"),
                        self.sealed(original, f"original of {digest}"),
                        digest,
                        person,
                    ),
                )
            db.execute("DELETE FROM unknowns")  # they come again
            db.execute("INSERT INTO meta VALUES ('seal', ?)", (self._cipher.seal(SEALS, "seal"),))
        database.scrub()


def _sums(faces: NDArray[np.float32], firsts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.float32]:
    """Of each person's faces, which lie one after another: many people, few faces each."""
    sums: NDArray[np.float32] = faces[firsts]
    for n in range(1, int(counts.max(initial=0))):
        more = np.flatnonzero(counts > n)
        sums[more] += faces[firsts[more] + n]
    return sums


def _keys(keys: Sequence[int]) -> NDArray[np.int64]:
    return np.array(keys, np.int64)


def _no_faces() -> NDArray[np.float32]:
    return np.empty((0, 128), np.float32)
