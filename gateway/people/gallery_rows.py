"""The rows of the gallery that one search sees, and the candidates that it finds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import Person

MAX_CANDIDATES = 5
"""People that one search returns. The decision needs two; a warning about duplicate people names the others."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person that a face may show.

    ``similarity``: of the face and the mean of the person's pictures (people/similarity.py); ``pictures``: the
    number of these pictures, at most MAX_COUNTED_PICTURES (people/gallery.py).
    """

    person: Person
    similarity: float
    pictures: int


@dataclass(frozen=True, slots=True, eq=False)
class GalleryRows:
    """State of the gallery that one search sees.

    ``matrix``: templates, float32, (rows and unused rows, c); ``people``: the person of each row; ``pictures``:
    uint8, (rows,), the number of each person's pictures, 0 for an unused row; ``counters``: (m, c),
    counter-examples, each of the person in the row ``accused``; ``retired``: rows that went out of use since the start.
    """

    # The matrix and the list of people are shared with later states, which only append to them.

    matrix: NDArray[np.float32]
    people: list[Person]
    pictures: NDArray[np.uint8]
    accused: list[int]
    counters: NDArray[np.float32]
    retired: int

    def nearest(self, compared: NDArray[np.float32], limits: NDArray[np.float32]) -> list[Candidate]:
        """Return the candidates for ``Nearest``, without people that a counter-example excludes."""
        rows = len(self.pictures)
        similarities = self.matrix[:rows] @ compared
        # argmax would choose NaN, as if that person was the most likely one.
        similarities[~np.isfinite(similarities)] = -np.inf
        for row, alike in zip(self.accused, self.counters @ compared, strict=True):
            if alike >= similarities[row]:
                similarities[row] = -np.inf
        surplus = similarities - limits.take(self.pictures)
        found: list[Candidate] = []
        for place in range(min(MAX_CANDIDATES, rows)):
            row = int(surplus.argmax())
            # The margin is that of the best two, even if they do not reach their limits.
            if surplus[row] == -np.inf or (place >= 2 and surplus[row] < 0):
                break
            found.append(self._candidate(row, similarities[row]))
            surplus[row] = -np.inf
        return found

    def candidate(self, row: int, compared: NDArray[np.float32]) -> Candidate:
        similarity = self.matrix[row] @ compared
        against = self.counters[[n for n, accused in enumerate(self.accused) if accused == row]] @ compared
        return self._candidate(row, -1.0 if (against >= similarity).any() else similarity)

    def _candidate(self, row: int, similarity: float) -> Candidate:
        return Candidate(self.people[row], float(similarity), int(self.pictures[row]))
