"""The rows of the gallery that one search sees, and the candidates that it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import Person
from gateway.people.lookalikes import Pair
from gateway.people.similarity import Similarity

MAX_COUNTED_PICTURES = 5
"""Pictures of one person that count. The curves do not distinguish larger numbers."""

MAX_CANDIDATES = 5
"""People that one search returns. The decision needs two; a warning about duplicate people names the others."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person that a face may show.

    ``similarity``: of the face and the mean of the person's pictures (people/similarity.py); ``pictures``: the
    number of these pictures, at most MAX_COUNTED_PICTURES.
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
        surplus, similarities = self._surplus(compared, limits)
        found: list[Candidate] = []
        for place in range(min(MAX_CANDIDATES, len(surplus))):
            row = int(surplus.argmax())
            # The margin is that of the best two, even if they do not reach their limits.
            if surplus[row] == -np.inf or (place >= 2 and surplus[row] < 0):
                break
            found.append(self._candidate(row, similarities[row]))
            surplus[row] = -np.inf
        return found

    def are_nearest(self, compared: NDArray[np.float32], limits: NDArray[np.float32], bound: float) -> bool:
        """Return whether ``nearest`` would return the same with other people, who exceed no limit by more than this."""
        if bound == -np.inf:
            return True
        best = np.sort(self._surplus(compared, limits)[0])[: -MAX_CANDIDATES - 1 : -1]
        if len(best) == MAX_CANDIDATES and best[-1] >= bound:
            return True
        # Only the first two places are for people who do not reach their limits.
        return bound < 0 and len(best) >= 2 and bool(best[1] >= bound)

    def lookalikes(self, own: Sequence[int], limits: NDArray[np.float32], similarity: Similarity) -> set[Pair]:
        """Return the pairs of a person in one of the rows ``own``, and any other person, who look alike."""
        places = np.array(own, np.intp)
        matrix = self.matrix[: len(self.pictures)]
        similarities = similarity.as_probes(matrix[places]) @ matrix.T
        for accused, counter in zip(self.accused, similarity.as_probes(self.counters), strict=True):
            alike = matrix @ counter
            similarities[places == accused] = np.where(
                alike >= similarities[places == accused], -np.inf, similarities[places == accused]
            )
            similarities[:, accused] = np.where(
                alike[places] >= similarities[:, accused], -np.inf, similarities[:, accused]
            )
        limit = limits.take(self.pictures)
        # Rows without pictures are not in use, and each person is similar to themselves.
        similarities[:, self.pictures == 0] = -np.inf
        similarities[np.arange(len(places)), places] = -np.inf
        found = np.argwhere(similarities >= np.minimum(limit, limit[places][:, None]))
        ids = [(self.people[places[one]].slug, self.people[other].slug) for one, other in found.tolist()]
        return {(min(pair), max(pair)) for pair in ids}

    def candidate(self, row: int, compared: NDArray[np.float32]) -> Candidate:
        similarity = self.matrix[row] @ compared
        against = self.counters[[n for n, accused in enumerate(self.accused) if accused == row]] @ compared
        return self._candidate(row, -1.0 if (against >= similarity).any() else similarity)

    def _surplus(
        self, compared: NDArray[np.float32], limits: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return by how much each row exceeds its limit, and the similarities; -inf for rows that are excluded."""
        similarities = self.matrix[: len(self.pictures)] @ compared
        # argmax would choose NaN, as if that person was the most likely one.
        similarities[~np.isfinite(similarities)] = -np.inf
        for row, alike in zip(self.accused, self.counters @ compared, strict=True):
            if alike >= similarities[row]:
                similarities[row] = -np.inf
        return similarities - limits.take(self.pictures), similarities

    def _candidate(self, row: int, similarity: float) -> Candidate:
        return Candidate(self.people[row], float(similarity), int(self.pictures[row]))
