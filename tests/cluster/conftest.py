"""Clusters of replicas over a real PostgreSQL, with a lease that ends soon, and with one that does not end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.support import NO_END_S, Cluster, cluster_running


@pytest.fixture
def cluster(postgres_url: str) -> Iterator[Cluster]:
    with cluster_running(postgres_url) as cluster:
        yield cluster


@pytest.fixture
def patient_cluster(postgres_url: str) -> Iterator[Cluster]:
    """A cluster for what must hold while no lease ends. On a busy machine a short lease ends at any moment."""
    with cluster_running(postgres_url, NO_END_S) as cluster:
        yield cluster
