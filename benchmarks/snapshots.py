"""Gallery snapshots of people with descriptors only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.model import Person
from gateway.store.records import GallerySnapshot


def snapshot_of(descriptors: NDArray[np.float32], pictures: int = 1) -> GallerySnapshot:
    """Return a snapshot. ``descriptors``: (n, 128), of unit length. ``pictures``: the number behind each descriptor."""
    keys = np.arange(1, len(descriptors) + 1)
    people = [Person(f"p{key}", f"Person {key}") for key in keys.tolist()]
    nothing = np.empty((0, 128), np.float32), np.empty(0, np.int64)
    return GallerySnapshot(keys, people, descriptors, np.full(len(keys), pictures), *nothing)
