"""The replicas of a cluster, its leader and the owners of its cameras, at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FORGOTTEN_AFTER_S = 7 * 86_400.0
"""Seconds after which a replica that is away is forgotten."""

ReplicaState = Literal["joining", "serving", "leader", "lost", "stopped"]
"""The state of a replica, as the database knows it."""

REPLICA_STATES: Mapping[ReplicaState, str] = {
    "joining": "It may own no cameras: it does not follow the people yet, has not loaded its models, or does not reach"
    " the broker.",
    "serving": "It may own cameras and lead.",
    "leader": "It leads the cluster.",
    "lost": "Its lease has ended, and it did not leave: it died, hangs, or does not reach the database.",
    "stopped": "It was stopped, and left the cluster.",
}
"""The meaning of each state, for the descriptions of the interfaces and for the documentation."""


@dataclass(frozen=True, slots=True)
class ClusterIdentity:
    """The cluster to which a replica belongs: ``name`` is ``cluster.name``, ``base`` is ``mqtt.base``."""

    name: str
    base: str

    def __str__(self) -> str:
        """Return both in words, for messages."""
        return f"the cluster {self.name} on the base topic {self.base}"


@dataclass(frozen=True, slots=True)
class Replica:
    """A gateway of a cluster.

    ``id``: the same as long as the gateway keeps its data folder. ``revision``: the revision of the people that it has
    confirmed. ``serving``: it may own cameras and lead. ``connected``: it has its connections to the broker.
    ``lease_left_s``: seconds until its lease ends, by the clock of the database; negative for a lease that has ended.
    ``names_left_s``: the same for the time in which it may still name people without the database. ``has_left``: it was
    stopped, and no process of it has joined since. ``lease_until``: the end of its lease in seconds since 1970, by
    the clock of the database.
    """

    id: str
    address: str | None
    version: str
    revision: int
    serving: bool
    connected: bool
    lease_left_s: float
    names_left_s: float
    has_left: bool = False
    lease_until: float = 0.0

    @property
    def is_live(self) -> bool:
        """True while its lease has not ended."""
        return self.lease_left_s > 0

    @property
    def is_forgotten(self) -> bool:
        """True after so long an absence that nobody will miss the replica."""
        return self.names_left_s < -FORGOTTEN_AFTER_S


@dataclass(frozen=True, slots=True)
class OwnedCamera:
    """A camera, and the replica that owns it. ``epoch``: the number of its changes of owner."""

    name: str
    owner: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """The state of the cluster ``name`` as this ``replica`` sees it.

    ``has_lease``: the replica may own cameras and lead now. ``may_name_people``: it may name people now. ``leads``: it
    is the leader. ``owned``: the number of its cameras. ``view``: as of the last renewal of its lease.
    """

    name: str
    replica: str
    has_lease: bool
    may_name_people: bool
    leads: bool
    owned: int
    view: ClusterView


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A cluster at one moment.

    ``revision``: of the people in the store. ``leader``: the replica that holds the leadership, also if its lease has
    ended. ``epoch``: the number of changes of the leader. ``replicas`` and ``cameras`` are in the order of their names.
    ``identity``: the cluster to which the database belongs, None before its first replica.
    """

    revision: int = 0
    replicas: tuple[Replica, ...] = ()
    leader: str | None = None
    epoch: int = 0
    cameras: tuple[OwnedCamera, ...] = ()
    identity: ClusterIdentity | None = None

    @property
    def live(self) -> frozenset[str]:
        """The ids of the replicas whose lease has not ended."""
        return frozenset(each.id for each in self.replicas if each.is_live)

    @property
    def candidates(self) -> frozenset[str]:
        """The ids of the live replicas that may own cameras and lead."""
        return frozenset(each.id for each in self.replicas if each.is_live and each.serving)

    @property
    def connected_candidates(self) -> frozenset[str]:
        """The candidates that are connected to the broker."""
        return frozenset(each.id for each in self.replicas if each.is_live and each.serving and each.connected)

    @property
    def live_leader(self) -> str | None:
        """The leader, unless its lease has ended."""
        return self.leader if self.leader in self.live else None

    @property
    def cameras_without_owner(self) -> tuple[str, ...]:
        """The names of the cameras that no live replica owns."""
        live = self.live
        return tuple(each.name for each in self.cameras if each.owner not in live)

    def state_of(self, replica: Replica) -> ReplicaState:
        """Return the state of one of the replicas."""
        if not replica.is_live:
            return "stopped" if replica.has_left else "lost"
        if replica.id == self.leader:
            return "leader"
        return "serving" if replica.serving else "joining"

    def cameras_of(self, replica: str) -> tuple[str, ...]:
        """Return the cameras of a replica, also if its lease has ended."""
        return tuple(each.name for each in self.cameras if each.owner == replica)
