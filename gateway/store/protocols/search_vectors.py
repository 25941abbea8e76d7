"""The protocol of the vectors that a database compares by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.store.records import Changes, GallerySnapshot


@dataclass(frozen=True, slots=True, eq=False)
class FoundPeople:
    """The people that a search in the database found, with their vectors in full precision.

    ``bound``: no other person exceeds the limit of similarity by more than this; -inf if there is no other person.
    """

    snapshot: GallerySnapshot
    bound: float


class SearchVectors(Protocol):
    """A vector for each person with descriptors of one recipe: the mean of the pictures. Nothing is encrypted.

    Several threads may share the object. Each method raises Busy while the database is away.
    """

    def changes(self, since: int, max_people: int = 50_000) -> Changes:
        """Return the changes after a revision, as ``Faces.changes``, without vectors: their shape is (n, 0)."""

    def find(
        self, probe: NDArray[np.float32], limits: NDArray[np.float32], count: int, also: Collection[int] = ()
    ) -> FoundPeople:
        """Return the ``count`` people who exceed their limit by most, as far as half precision tells.

        ``probe``: float32, (d,), of unit length; ``limits``: the limit of the product by the number of pictures, from
        0 pictures on; ``also``: keys of people who are returned in any case.
        """

    def read(self, key: int) -> GallerySnapshot:
        """Return one person by the store's number. The snapshot is empty if nobody has it."""
