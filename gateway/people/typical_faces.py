"""The making of typical faces (``gateway/people/similarity.py``).

They are the means of clusters of people, with one picture of each, found by spherical k-means. Clusters of few people
are left out, so that no person's descriptor is among them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gateway.people.similarity import Vectors

CLUSTERS = 32
MIN_CLUSTER_PEOPLE = 5
"""Smallest number of people in a cluster, so that its mean is no single person's face."""

CLUSTER_ROUNDS = 20


def typical(faces: Vectors) -> Vectors:
    """Return the means of the clusters, of unit length."""
    random = np.random.default_rng(0)
    means = faces[random.choice(len(faces), min(CLUSTERS, len(faces)), replace=False)]
    for _ in range(CLUSTER_ROUNDS):
        nearest = (faces @ means.T).argmax(axis=1)
        sums = np.stack([faces[nearest == n].sum(axis=0) for n in range(len(means))])
        means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    people = np.bincount((faces @ means.T).argmax(axis=1), minlength=len(means))
    return means[people >= MIN_CLUSTER_PEOPLE]


def one_each(vectors: Vectors, people: NDArray[np.intp]) -> Vectors:
    """Return the first picture of each person."""
    _, first = np.unique(people, return_index=True)
    return vectors[first]
