"""Evidence about a sighting: its best faces, and the part of the allowed rate that was spent on decisions about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cbor2
import numpy as np

from gateway.model import Descriptor

MAX_EVIDENCE_FACES = 5
"""Faces that are kept of one sighting. Their mean is the probe; the curves end there."""

MIN_FACE_INTERVAL_S = 0.25
"""Time between two faces that are kept. Faces of one moment are nearly the same picture."""

MAX_KEPT_COSINE = 0.985
"""Cosine from which two faces are nearly the same picture. Such a face is kept only if it is clearly better."""

CLEARLY_BETTER = 1.3
"""Factor of the quality from which a face is clearly better than another."""


class EvidenceFace(NamedTuple):
    """A face that is kept. ``worth``: its quality as one number, at least 0."""

    descriptor: Descriptor
    worth: float


class Evidence:
    """Faces of one sighting, and the decisions about it. It belongs to one thread.

    ``spent``: the share of the allowed rate that was spent, 1 or more if nothing is left; ``looks``: the number of
    decisions that were made; ``person``: the id of the person that the last decision named.
    """

    def __init__(
        self, spent: float = 0.0, looks: int = 0, person: str | None = None, faces: Sequence[EvidenceFace] = ()
    ) -> None:
        self.spent = spent
        self.looks = looks
        self.person = person
        self.last_share = 1.0
        self._faces = list(faces)
        self._added_at = -np.inf

    @property
    def frames(self) -> int:
        """The number of faces that are kept."""
        return len(self._faces)

    def add(self, face: EvidenceFace, moment: float) -> bool:
        """Keep a face that is clearly different from the kept ones, or clearly better. Return whether it was kept.

        ``moment``: monotonic seconds.
        """
        if moment < self._added_at + MIN_FACE_INTERVAL_S:
            return False
        kept = self._keep(face)
        if kept:
            self._added_at = moment
        return kept

    def mean(self, frames: int) -> Descriptor:
        """Return the mean of the best ``frames`` faces, (d,), of unit length."""
        best = sorted(self._faces, key=lambda each: -each.worth)[:frames]
        total = np.sum([each.descriptor for each in best], axis=0)
        mean: Descriptor = (total / max(float(np.linalg.norm(total)), 1e-9)).astype(np.float32)
        return mean

    def spend(self, share: float, person: str | None) -> None:
        """Note a decision that may have been wrong with this share of the allowed rate, and whom it named."""
        self.spent += share
        self.looks += 1
        self.last_share = share
        self.person = person

    def withdraw_name(self) -> None:
        """Note that the name was taken away."""
        self.person = None

    def set_person(self, person: str | None) -> None:
        """Note whom a user named, by the id."""
        self.person = person

    def join(self, other: Evidence) -> None:
        """Add the evidence of another track of the same sighting. The spent shares add up."""
        self.spent += other.spent
        self.looks += other.looks
        self.person = self.person or other.person
        self._faces = sorted([*self._faces, *other._faces], key=lambda each: -each.worth)[:MAX_EVIDENCE_FACES]

    def to_bytes(self) -> bytes:
        """Return the evidence as CBOR, at most 3 kB with descriptors of 128 numbers."""
        faces = [[each.descriptor.astype("<f4").tobytes(), float(each.worth)] for each in self._faces]
        document = {"spent": float(self.spent), "looks": self.looks, "person": self.person, "faces": faces}
        return cbor2.dumps(document)

    @classmethod
    def from_bytes(cls, data: bytes) -> Evidence:
        """Return the evidence in CBOR. Raises ValueError for other bytes."""
        try:
            return cls._read(cbor2.loads(data))
        # cbor2 raises many kinds beside its own.
        except Exception as error:
            raise ValueError(f"this is not the evidence of a sighting: {error}") from None

    @classmethod
    def _read(cls, document: Mapping[str, Any]) -> Evidence:
        faces = [
            EvidenceFace(np.frombuffer(data, "<f4").astype(np.float32), float(worth))
            for data, worth in document["faces"][:MAX_EVIDENCE_FACES]
        ]
        return cls(float(document["spent"]), int(document["looks"]), document["person"], faces)

    def _keep(self, face: EvidenceFace) -> bool:
        """Keep a face in place of a worse one that is nearly the same, or of the worst one if there are too many."""
        cosines = [float(each.descriptor @ face.descriptor) for each in self._faces]
        alike = [each for each, cosine in zip(self._faces, cosines, strict=True) if cosine > MAX_KEPT_COSINE]
        if not alike and len(self._faces) < MAX_EVIDENCE_FACES:
            self._faces.append(face)
            return True
        worst = min(alike or self._faces, key=lambda each: each.worth)
        if face.worth < CLEARLY_BETTER * worst.worth:
            return False
        self._faces = [face if each is worst else each for each in self._faces]
        return True
