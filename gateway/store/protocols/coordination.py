"""The protocol of the part of a store by which replicas agree: leases, the leader, the owners of cameras."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.model.cluster import ClusterIdentity, ClusterView, OwnedCamera, Replica


@dataclass(frozen=True, slots=True)
class Member:
    """The replica of a cluster that a process is. ``process``: a random text, another one after each start.

    ``lease_s``: the length of a lease. ``names_s``: the time for which the replica may name people without the
    database, at least ``lease_s``. Both begin with each renewal.
    """

    cluster: ClusterIdentity
    replica: str
    process: str
    lease_s: float
    names_s: float
    version: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class News:
    """Announcements of other processes: ``people`` changed, a replica ``confirmed``, the ``cluster`` changed."""

    people: bool = False
    confirmed: bool = False
    cluster: bool = False


class Coordination(Protocol):
    """A connection to the database for the agreement of replicas, used by one thread at a time.

    A replica that hangs must not hold up the others. So each change is one statement that the database finishes by
    itself, and every wait is bounded. Each method raises Busy if the database does not answer in time: a change may
    have been made then, or may still be made later.
    """

    def claim_cluster(self, member: Member) -> ClusterIdentity:
        """Make the database that of the cluster of a replica, unless another replica has a lease in another cluster.

        Return the cluster to which the database belongs then.
        """

    def renew(self, member: Member, *, revision: int, serving: bool, connected: bool) -> ClusterView | None:
        """Renew the lease of a replica, and return the cluster as it is afterwards.

        Return None, and change nothing, while another process holds the lease of this replica, or the database belongs
        to another cluster. ``revision``: of the people that the replica follows. ``serving``: it may own cameras and
        lead. ``connected``: to the broker.
        """

    def read(self) -> ClusterView:
        """Return the cluster, without being a part of it."""

    def claim_leadership(self, member: Member, epoch: int) -> int | None:
        """Make a replica the leader, if nobody is, or the lease of the leader has ended. Return the new epoch.

        ``epoch``: the epoch that the replica has seen. Return None if the leader has changed since then.
        """

    def release_leadership(self, member: Member, epoch: int) -> None:
        """Leave the cluster without a leader, if the replica is the leader of this epoch."""

    def claim_cameras(self, member: Member, seen: Collection[OwnedCamera]) -> Mapping[str, int]:
        """Make a replica the owner of cameras that have no owner with a lease. Return their new epochs.

        ``seen``: the cameras as the replica has seen them. Cameras that have changed since then are left out.
        """

    def release_cameras(self, member: Member, epochs: Mapping[str, int]) -> None:
        """Leave cameras without an owner, each if the replica owns it in this epoch."""

    def add_cameras(self, names: Iterable[str], most: int) -> None:
        """Add cameras without an owner, until there are ``most``. Cameras that exist stay as they are."""

    def forget_cameras(self, member: Member, epochs: Mapping[str, int]) -> Collection[str]:
        """Remove cameras, each if the replica owns it in this epoch. Return the removed ones.

        A camera stays while the journal of topics has some of it. Those that are removed
        lose their notes on the board of the live cameras too.
        """

    def forget_replicas(self) -> None:
        """Forget the replicas that were away for FORGOTTEN_AFTER_S. Their cameras become free."""

    def confirm(self, member: Member, revision: int) -> None:
        """Note that the replica follows this revision of the people, and announce that."""

    def read_revision(self) -> int:
        """Return the revision of the people in the store."""

    def find_unconfirmed(self, revision: int) -> tuple[Replica, ...]:
        """Return the replicas that may still name people as they were before a revision."""

    def want_cleared(self, revision: int) -> None:
        """Ask all replicas for ``note_cleared``, for this revision of the people."""

    def read_wanted(self) -> int:
        """Return the revision for which ``note_cleared`` is wanted."""

    def note_cleared(self, member: Member, revision: int, cameras: Mapping[str, int], leads_since: int | None) -> None:
        """Note that no retained message at the broker names people who are not enrolled in this revision.

        ``cameras``: these with their epochs; ``leads_since``: the epoch of the leader, None for nothing of the leader.
        Things that the replica does not hold in these epochs are left out.
        """

    def find_uncleared(self, revision: int) -> tuple[str, ...]:
        """Return the cameras and the leader whose retained messages may name people as before a revision, in words."""

    def has_replicas(self, within_s: float) -> bool:
        """Return whether a replica runs. One that did not leave counts until so long after the end of its lease."""

    def leave(self, member: Member) -> None:
        """End the lease of the replica, and free its cameras and the leadership."""

    def wait_for_news(self, seconds: float) -> News:
        """Wait for announcements, at most so long. The first call may miss earlier ones."""

    def close(self) -> None:
        """Close the connection. A later call opens another one."""
