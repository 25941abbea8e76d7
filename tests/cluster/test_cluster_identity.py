"""Replicas of two clusters, or of two base topics, on one real database."""

from __future__ import annotations

import pytest

from gateway.errors import StartError
from gateway.model.cluster import ClusterIdentity
from tests.cluster.support import IDENTITY, Cluster
from tests.support import wait_for

OTHERS = [ClusterIdentity("other", IDENTITY.base), ClusterIdentity(IDENTITY.name, "other")]


@pytest.mark.parametrize("other", OTHERS, ids=["name", "base"])
def test_replica_of_another_cluster_is_refused_beside_a_live_one(
    patient_cluster: Cluster, other: ClusterIdentity
) -> None:
    """Regression: it answered each request a second time, and took cameras."""
    (a,) = patient_cluster.start("a")
    wait_for(lambda: a.membership.is_leader)
    (b,) = patient_cluster.start("b", cluster=other)
    wait_for(lambda: b.membership.problem)
    expected = f"belongs to {IDENTITY}, and the settings of this replica say {other}: correct cluster.name"
    assert expected in (b.membership.problem or "")
    with pytest.raises(StartError, match=r"The database of people\.store belongs to the cluster site"):
        b.membership.check_cluster()
    assert not b.membership.may_name_people()
    assert a.membership.view().live == {"a"}
    a.membership.check_cluster()


@pytest.mark.parametrize("other", OTHERS, ids=["name", "base"])
def test_cluster_gets_another_name_when_no_replica_is_live(patient_cluster: Cluster, other: ClusterIdentity) -> None:
    (a,) = patient_cluster.start("a")
    wait_for(lambda: a.membership.is_leader)
    patient_cluster.stop("a")
    (b,) = patient_cluster.start("b", cluster=other)
    b.membership.check_cluster()
    wait_for(lambda: b.membership.is_leader)
    (a,) = patient_cluster.start("a")
    with pytest.raises(StartError, match="belongs to the cluster"):
        a.membership.check_cluster()


def test_replica_that_was_killed_may_start_with_another_name(cluster: Cluster) -> None:
    """A replica does not wait for the end of its own lease to change its name."""
    (a,) = cluster.start("a")
    wait_for(lambda: a.membership.is_leader)
    a.proxy.cut()
    cluster.stop("a")
    (restarted,) = cluster.start("a", cluster=OTHERS[0])
    restarted.membership.check_cluster()
    wait_for(lambda: restarted.membership.is_leader)
