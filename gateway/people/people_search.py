"""The protocol of a search among the enrolled people. It has two implementations: in memory, and in the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.people.gallery_rows import Candidate
from gateway.people.lookalikes import Pair
from gateway.store.records import Changes


class PeopleSearch(Protocol):
    """A search among the enrolled people, by vectors that are ready to be compared (people/similarity.py).

    Many threads search, while one thread at a time applies changes. People are named by the store's numbers. The
    ``limits`` are those of ``Decision.similarity_limits``. A search that reads a database raises Busy while the
    database is away.
    """

    @property
    def compares_everybody(self) -> bool:
        """True if all people can be compared with all others within minutes."""

    def nearest(self, compared: NDArray[np.float32], limits: NDArray[np.float32]) -> Sequence[Candidate]:
        """Return the candidates for ``Nearest``, without people that a counter-example excludes."""

    def candidate(self, key: int, compared: NDArray[np.float32]) -> Candidate | None:
        """Return the similarity of one person, -1 if a counter-example is at least as similar; None for nobody."""

    def template(self, key: int) -> NDArray[np.float32] | None:
        """Return the vector of a person, (c,), or None if there is no such person."""

    def lookalikes(self, keys: Sequence[int], limits: NDArray[np.float32]) -> set[Pair]:
        """Return the pairs of one of these people, and any other person, who look alike."""

    def apply(self, changes: Changes) -> None:
        """Apply changes of the store. No search finds a removed person when this returns, even if it began before."""
