"""The place of this gateway among the replicas of its cluster, as the MQTT side uses it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from gateway.model.cluster import ClusterView


class Place(Protocol):
    """The lease, the cameras and the leadership of a replica. Reading them takes no time. Any thread may do it."""

    @property
    def replica(self) -> str:
        """The id of this replica."""

    @property
    def is_leader(self) -> bool:
        """True if this replica leads the cluster now."""

    @property
    def owned(self) -> frozenset[str]:
        """The cameras that this replica owns now."""

    def owns(self, camera: str) -> bool:
        """Return whether this replica owns a camera now."""

    @property
    def admission(self) -> int | None:
        """The number of the present admission, in which this replica may name people. None if it may not."""

    def may_name_people(self) -> bool:
        """Return whether this replica may name people now."""

    def has_lease(self) -> bool:
        """Return whether this replica may act as an owner of cameras or as the leader now."""

    def add_cameras(self, names: Iterable[str], *, always: bool = False) -> None:
        """Add cameras to the cluster, unless it knows them. ``always``: also if it has no room for them."""

    def view(self) -> ClusterView:
        """Return the cluster as of the last renewal of the lease."""
