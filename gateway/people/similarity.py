"""How alike two faces are: the cosine of their descriptors, less for faces that resemble everybody.

Some faces lie in a crowded part of the descriptors' space: there a high cosine says little. How crowded it is about a
face tells its cosine to the nearest of a few dozen typical faces, each the mean of several people (TYPICAL). A quarter
of that is taken off for either face, and as much added for a face in the middle of nowhere:

    similarity(a, b) = cosine(a, b) + (1 - crowd(a)) / 4 + (1 - crowd(b)) / 4

Measured by ``benchmarks/calibration.py`` on people whom the typical faces were not made of. That this is one product of
two longer vectors keeps the search of a gallery what it was, one product of matrices.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""Shape (n, 128) for descriptors of unit length, (n, COLUMNS) for those that are ready to be compared."""

COLUMNS = 132
"""128, two for what resemblance to the typical faces adds, and two of nothing: a row of whole 16 bytes is compared a
sixth faster (measured).
"""

TYPICAL_FACES_FILE = Path(__file__).with_name("typical.npy")
"""float32, (32, 128), of unit length. ``python -m benchmarks.calibration --write`` made it."""

CROWD_WEIGHT = 0.25


class Similarity:
    """``typical``: (k, 128), or None for the plain cosine, as suits other recipes than ours."""

    def __init__(self, typical: Vectors | None) -> None:
        self._typical = typical

    def probes(self, descriptors: Vectors) -> Vectors:
        """(n, COLUMNS), for faces that are looked up: their product with templates is the similarity."""
        return self._columns(descriptors, self._bonus(descriptors), 1)

    def templates(self, descriptors: Vectors) -> Vectors:
        """(n, COLUMNS), for known faces."""
        return self._columns(descriptors, 1, self._bonus(descriptors))

    def as_probes(self, templates: Vectors) -> Vectors:
        """The same faces as ``probes`` gives them, of what ``templates`` gave."""
        probes: Vectors = templates.copy()
        probes[:, [128, 129]] = templates[:, [129, 128]]
        return probes

    def compare(self, one: Vectors, other: Vectors) -> float:
        """Of two descriptors, (128,) each."""
        return float((self.probes(one[None]) @ self.templates(other[None]).T).item())

    def _columns(self, descriptors: Vectors, one: Vectors | int, other: Vectors | int) -> Vectors:
        length = descriptors.shape[1]
        columns = np.zeros((len(descriptors), length + COLUMNS - 128), np.float32)
        columns[:, :length], columns[:, length], columns[:, length + 1] = descriptors, one, other
        return columns

    def _bonus(self, descriptors: Vectors) -> Vectors:
        if self._typical is None or not len(descriptors):
            return np.zeros(len(descriptors), np.float32)
        crowd = (descriptors @ self._typical.T).max(axis=1)
        bonus: Vectors = CROWD_WEIGHT * (1 - crowd)
        return bonus


def typical_faces() -> Vectors:
    faces: Vectors = np.load(TYPICAL_FACES_FILE, allow_pickle=False)
    return faces
