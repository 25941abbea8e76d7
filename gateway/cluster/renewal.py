"""The renewal of the lease of a replica, and its refusal."""

from __future__ import annotations

from gateway.cluster.boot_clock import boot_time
from gateway.errors import Busy
from gateway.model.cluster import ClusterIdentity, ClusterView
from gateway.store.protocols.coordination import Coordination, Member

RETRY_S = 1
"""Seconds until the next attempt, as long as the shortest lease."""


def renew_lease(
    coordination: Coordination, member: Member, *, revision: int, serving: bool, connected: bool
) -> tuple[float, ClusterView]:
    """Return the moment at which the renewal was sent, and the cluster after it. Raise Busy if it is refused.

    ``revision``, ``serving`` and ``connected`` as for Coordination.renew.
    """
    # The second time, the database may belong to this cluster only since a moment.
    for _ in range(2):
        sent_at = boot_time()
        view = coordination.renew(member, revision=revision, serving=serving, connected=connected)
        if view is not None:
            return sent_at, view
        if (found := coordination.claim_cluster(member)) != member.cluster:
            raise Busy(describe_other_cluster(found, member.cluster), RETRY_S)
    raise Busy("another process uses the data folder of this replica, or ended a moment ago", RETRY_S)


def describe_other_cluster(found: ClusterIdentity, own: ClusterIdentity) -> str:
    """Return a sentence about a database that belongs to another cluster than the settings say."""
    return (
        f"the database of people.store belongs to {found}, and the settings of this replica say {own}: correct"
        " cluster.name and mqtt.base, which are the same at all replicas, or people.store. To give the cluster another"
        " name or base topic, stop all its replicas first"
    )
