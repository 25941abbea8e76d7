"""The computation of a GallerySnapshot from the rows of a database."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.model import Person
from gateway.store.records import GallerySnapshot


def empty_snapshot(dimensions: int) -> GallerySnapshot:
    """Return a snapshot without people. ``dimensions``: of the descriptors."""
    no_faces = np.empty((0, dimensions), np.float32)
    return GallerySnapshot(_int64(()), (), no_faces, _int64(()), no_faces, _int64(()))


def make_snapshot(
    keys: Sequence[int], people: Sequence[Person], faces: NDArray[np.float32], counter: Sequence[bool]
) -> GallerySnapshot:
    """Return the snapshot of pictures, given as columns of equal length and sorted by key. There must be at least one.

    ``faces``: float32 of shape (n, d), of unit length; ``counter``: whether each is a counter-example.
    """
    is_counter = np.array(counter, bool)
    owners, firsts, pictures = np.unique(_int64(keys)[~is_counter], return_index=True, return_counts=True)
    sums = _sums(faces[~is_counter], firsts, pictures)
    means = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    rows = np.flatnonzero(~is_counter)[firsts]
    return GallerySnapshot(
        owners,
        [people[n] for n in rows.tolist()],
        means,
        pictures.astype(np.int64),
        faces[is_counter],
        _int64(keys)[is_counter],
    )


def _sums(faces: NDArray[np.float32], firsts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the sum of each person's faces. ``firsts``: the first row of each person, whose rows are consecutive."""
    # One pass for each number of pictures is fast, since there are many people with few pictures each.
    sums: NDArray[np.float32] = faces[firsts]
    for n in range(1, int(counts.max(initial=0))):
        more = np.flatnonzero(counts > n)
        sums[more] += faces[firsts[more] + n]
    return sums


def _int64(keys: Sequence[int]) -> NDArray[np.int64]:
    return np.array(keys, np.int64)
