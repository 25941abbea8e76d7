"""The state of the cluster as one of its replicas reports it: who leads, and who owns which camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.installation import document_of
from benchmarks.faults.replicas.site import Replica

READ_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The state that a replica reports. ``replica``: its own id. ``leads``: it is the leader, by its own lease."""

    replica: str
    leads: bool
    epoch: int
    owners: Mapping[str, str]


def read_state(replica: Replica) -> ClusterState | None:
    """Return the state that a replica reports, or None without an answer."""
    document = document_of(replica.fetch("GET", "/api/v1/health", wait=READ_TIMEOUT_S))
    return None if document is None else state_of(document)


def state_of(document: Mapping[str, Any]) -> ClusterState | None:
    """Return the state in a health document, or None if it has none."""
    cluster = document.get("cluster")
    if not cluster:
        return None
    owners = {each["camera"]: each["owner"] for each in cluster["cameras"] if each["owner"]}
    return ClusterState(cluster["replica"], cluster["leads"], cluster["epoch"], owners)


def cameras_of(replica: Replica) -> frozenset[str]:
    """Return the cameras that a replica owns, as it reports itself."""
    own = read_state(replica)
    return frozenset() if own is None else frozenset(name for name, owner in own.owners.items() if owner == own.replica)
