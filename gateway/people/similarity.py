"""Similarity of two faces: the cosine of their descriptors, corrected for faces that are similar to many others.

Some faces lie in a crowded region of the descriptor space, where a high cosine says little. The measure of crowding is
the largest cosine to one of a few dozen typical faces, each the mean of several people (TYPICAL_FACES_FILE):

    similarity(a, b) = cosine(a, b) + (1 - crowd(a)) / 4 + (1 - crowd(b)) / 4

``benchmarks/calibration.py`` measured the curves with this formula, on other people than those of the typical faces.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.model.recipes import DLIB_DIMENSIONS

Vectors = NDArray[np.float32]
"""Shape (n, d) for descriptors of unit length, (n, c) for vectors that are ready to be compared.

d is the number of dimensions of the recipe, c is ``Similarity.columns``.
"""

CORRECTIONS = 2
"""Numbers that a vector that is ready to be compared has beyond the descriptor: one for each of the two faces."""

COLUMN_MULTIPLE = 4
"""Such a vector is filled with zeros to a multiple of this. Rows of a multiple of 16 bytes are compared a sixth faster
(measured).
"""

TYPICAL_FACES_FILE = Path(__file__).with_name("typical.npy")
"""Typical faces: float32, (32, 128), of unit length. ``python -m benchmarks.calibration --write`` made the file."""

CROWD_WEIGHT = 0.25
"""Factor of the correction for each of the two faces."""


class Similarity:
    """Similarity of descriptors, with or without the correction by typical faces."""

    # The correction is part of two longer vectors, so that a search of the gallery stays one product of matrices.

    def __init__(self, typical: Vectors | None, dimensions: int = DLIB_DIMENSIONS) -> None:
        """``typical``: the typical faces, (k, dimensions), or None for the plain cosine."""
        self._typical = typical
        self._dimensions = dimensions

    @property
    def columns(self) -> int:
        """Return the number of columns of a vector that is ready to be compared."""
        return math.ceil((self._dimensions + CORRECTIONS) / COLUMN_MULTIPLE) * COLUMN_MULTIPLE

    def no_faces(self) -> Vectors:
        """Return an empty array of vectors, (0, c)."""
        return np.empty((0, self.columns), np.float32)

    def probes(self, descriptors: Vectors) -> Vectors:
        """Return vectors of faces to look up, (n, c). Their product with templates is the similarity."""
        return self._columns(descriptors, self.correction(descriptors), 1)

    def templates(self, descriptors: Vectors) -> Vectors:
        """Return vectors of enrolled faces, (n, c)."""
        return self._columns(descriptors, 1, self.correction(descriptors))

    def as_probes(self, templates: Vectors) -> Vectors:
        """Return templates, (n, c), as the probes of the same faces."""
        probes: Vectors = templates.copy()
        first, second = self._dimensions, self._dimensions + 1
        probes[:, [first, second]] = templates[:, [second, first]]
        return probes

    def compare(self, one: Vectors, other: Vectors) -> float:
        """Return the similarity of two descriptors, (d,) each."""
        return float((self.probes(one[None]) @ self.templates(other[None]).T).item())

    def split(self, probe: Vectors) -> tuple[Vectors, float]:
        """Return the descriptor, (d,), and the correction of a face that is ready to be looked up, (c,)."""
        return probe[: self._dimensions], float(probe[self._dimensions])

    def correction(self, descriptors: Vectors) -> Vectors:
        """Return the correction for each face, (n,)."""
        if self._typical is None or not len(descriptors):
            return np.zeros(len(descriptors), np.float32)
        crowd = (descriptors @ self._typical.T).max(axis=1)
        bonus: Vectors = CROWD_WEIGHT * (1 - crowd)
        return bonus

    @property
    def fingerprint(self) -> str:
        """A text that differs if ``correction`` returns other numbers."""
        digest = hashlib.sha256(b"" if self._typical is None else self._typical.tobytes())
        return f"{CROWD_WEIGHT} {self._dimensions} {digest.hexdigest()}"

    def _columns(self, descriptors: Vectors, one: Vectors | int, other: Vectors | int) -> Vectors:
        length = self._dimensions
        columns = np.zeros((len(descriptors), self.columns), np.float32)
        columns[:, :length], columns[:, length], columns[:, length + 1] = descriptors, one, other
        return columns


def typical_faces() -> Vectors:
    """Return the typical faces: float32, (32, 128), of unit length."""
    faces: Vectors = np.load(TYPICAL_FACES_FILE, allow_pickle=False)
    return faces
