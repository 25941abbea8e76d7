"""Replicas of two clusters, or of two base topics, on one real database."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue

import pytest

from gateway.cluster.membership import Membership, MembershipSettings
from gateway.errors import StartError
from gateway.model.cluster import ClusterIdentity
from gateway.store.postgres.coordination import PostgresCoordination
from gateway.store.postgres.database import PostgresDatabase
from tests.cluster.support import IDENTITY, NO_END_S, Cluster
from tests.support import WAIT_S, wait_for

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
def test_one_of_two_clusters_that_start_in_one_moment_on_an_empty_database_ends(
    postgres_url: str, other: ClusterIdentity
) -> None:
    """Regression: it went on without a lease, with a warning that nobody read."""
    PostgresDatabase(postgres_url).close()
    ended: SimpleQueue[tuple[str, StartError]] = SimpleQueue()

    def note_end(name: str, error: StartError) -> None:
        ended.put((name, error))

    replicas = {
        name: Membership(
            name,
            partial(PostgresCoordination, postgres_url, NO_END_S),
            MembershipSettings(identity, NO_END_S, NO_END_S),
            lambda: 0,
        )
        for name, identity in (("a", IDENTITY), ("b", other))
    }
    with ExitStack() as stack:
        for each in replicas.values():
            stack.callback(each.stop)
            each.set_on_fatal(partial(note_end, each.replica))
            # Neither has a lease yet, so that neither is refused.
            each.check_cluster()
        for each in replicas.values():
            each.start()
        loser, error = ended.get(timeout=WAIT_S)
        assert error.exit_code == os.EX_CONFIG
        assert str(error).startswith("The database of people.store belongs to the cluster ")
        (winner,) = (each for name, each in replicas.items() if name != loser)
        # The other one may have had a lease for a moment, and gives it back at its stop.
        replicas[loser].stop()
        wait_for(lambda: winner.is_leader)
    assert ended.empty()


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
