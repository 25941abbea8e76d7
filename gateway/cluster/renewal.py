"""The renewal of the lease of a replica, and its refusal."""

from __future__ import annotations

from collections.abc import Callable

from gateway.cluster.boot_clock import boot_time
from gateway.errors import Busy, StartError
from gateway.model.cluster import ClusterIdentity, ClusterView
from gateway.store.protocols.coordination import Coordination, Member

OnFatal = Callable[[StartError], object]
"""Called with an error that ends the gateway."""

MAX_RENEWALS_AT_START = 1
"""A replica with at most so many renewals of its lease has just started."""

RETRY_S = 1
"""Seconds until the next attempt, as long as the shortest lease."""


class OtherCluster(Busy):
    """A refusal: the database belongs to another cluster, which has a live replica."""

    def as_start_error(self) -> StartError:
        """Return the error for a gateway that has just started: only a person can help it."""
        message = str(self)
        return StartError(f"{message[0].upper()}{message[1:]}.")


class LeaseRenewal:
    """The renewal of the lease of one replica.

    ``on_fatal``: called with the error of a replica that has just started, and belongs to another cluster.
    """

    def __init__(self, coordination: Coordination, member: Member, on_fatal: OnFatal) -> None:
        self.coordination = coordination
        self.member = member
        self._on_fatal = on_fatal
        self._renewals = 0
        self._is_refused = False

    def renew(self, *, revision: int, serving: bool, connected: bool) -> tuple[float, ClusterView]:
        """Return the moment at which the renewal was sent, and the cluster after it. Raise Busy if it is refused.

        ``revision``, ``serving`` and ``connected`` as for Coordination.renew.
        """
        member = self.member
        # The second time, the database may belong to this cluster only since a moment.
        for _ in range(2):
            sent_at = boot_time()
            view = self.coordination.renew(member, revision=revision, serving=serving, connected=connected)
            if view is not None:
                self._renewals += 1
                return sent_at, view
            if (found := self.coordination.claim_cluster(member)) != member.cluster:
                raise self._refuse(found)
        raise Busy("another process uses the data folder of this replica, or ended a moment ago", RETRY_S)

    def _refuse(self, found: ClusterIdentity) -> OtherCluster:
        error = other_cluster_error(found, self.member.cluster)
        # Two gateways with different names that start at the same moment both find no live replica. Both may claim the
        # database in turn, so the loser may have had one lease before it is refused. A replica that worked before
        # waits: a gateway with wrong settings may have started while the database was away.
        if self._renewals <= MAX_RENEWALS_AT_START and not self._is_refused:
            self._is_refused = True
            self._on_fatal(error.as_start_error())
        return error


def other_cluster_error(found: ClusterIdentity, own: ClusterIdentity) -> OtherCluster:
    """Return the error for a database that belongs to another cluster than the settings say."""
    return OtherCluster(
        f"the database of people.store belongs to {found}, and the settings of this replica say {own}: correct"
        " cluster.name and mqtt.base, which are the same at all replicas, or people.store. To give the cluster another"
        " name or base topic, stop all its replicas first",
        RETRY_S,
    )
