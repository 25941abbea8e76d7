"""Evidence about a sighting: its best faces, and the part of the allowed rate that was spent on decisions about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cbor2
import numpy as np

from gateway.model import Descriptor

MAX_EVIDENCE_FACES = 5
"""Faces that are kept of one sighting. Their mean is the probe; the curves end there."""

FIRST_INTERVAL_S = 0.15
"""Time between the first two faces. A camera with ten frames a second skips one frame."""

INTERVAL_S = 0.25
"""Time between two later faces. Faces of one moment are nearly the same picture."""

CLEARLY_BETTER = 1.3
"""Factor of the quality from which a face is clearly better than another."""


class EvidenceFace(NamedTuple):
    """A face that is kept. ``worth``: its quality as one number, at least 0."""

    descriptor: Descriptor
    worth: float


class Probe(NamedTuple):
    """The mean of some faces. ``descriptor``: of unit length; ``length``: of the mean before; ``faces``: their number.

    The length is 1 for identical faces, and shorter the more they differ.
    """

    descriptor: Descriptor
    length: float
    faces: int


class Evidence:
    """Faces of one sighting, and the decisions about it. It belongs to one thread.

    ``spent``: the share of the allowed rate that was spent, 1 or more if nothing is left; ``looks``: the number of
    decisions that were made; ``person``: the id of the person that the last decision named; ``last_share``: the share
    of the last decision.
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

    def has_waited(self, moment: float, wait_s: float) -> bool:
        """Return whether a face waits for the first decision, since so many seconds or more."""
        return self.frames > 0 and not self.looks and moment >= self._added_at + wait_s

    def add(self, face: EvidenceFace, moment: float, max_cosine: float) -> bool:
        """Keep a face that is clearly different from the kept ones, or clearly better. Return whether it was kept.

        ``moment``: monotonic seconds. ``max_cosine``: faces with a higher cosine are nearly the same picture. Before
        the first decision, a second face is kept even then.
        """
        first = not self.looks and self.frames < 2
        if moment < self._added_at + (FIRST_INTERVAL_S if first else INTERVAL_S):
            return False
        kept = self._keep(face, np.inf if first else max_cosine)
        if kept:
            self._added_at = moment
        return kept

    def probe(self, faces: int) -> Probe:
        """Return the mean of the best ``faces`` faces, or of all if there are fewer."""
        best = sorted(self._faces, key=lambda each: -each.worth)[:faces]
        mean = np.mean([each.descriptor for each in best], axis=0)
        length = float(np.linalg.norm(mean))
        return Probe((mean / max(length, 1e-9)).astype(np.float32), length, len(best))

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

    def inherit(self, other: Evidence) -> None:
        """Begin with the spent share and the decisions of another sighting, but without its faces and its name."""
        self.spent, self.looks, self.last_share = other.spent, other.looks, other.last_share

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

    def _keep(self, face: EvidenceFace, max_cosine: float) -> bool:
        """Keep a face in place of a worse one that is nearly the same, or of the worst one if there are too many."""
        alike = [each for each in self._faces if float(each.descriptor @ face.descriptor) > max_cosine]
        if not alike and len(self._faces) < MAX_EVIDENCE_FACES:
            self._faces.append(face)
            return True
        worst = min(alike or self._faces, key=lambda each: each.worth)
        if face.worth < CLEARLY_BETTER * worst.worth:
            return False
        self._faces = [face if each is worst else each for each in self._faces]
        return True
