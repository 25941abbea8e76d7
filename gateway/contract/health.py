"""The documents by which the gateway describes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from gateway.contract.base import MAX_LISTED, VersionedModel, WireModel
from gateway.model.cluster import REPLICA_STATES, ClusterHealth, ClusterView, Replica, ReplicaState
from gateway.model.health import BrokerAddress, Disk, Health

FREE_STEP_BYTES = 100_000_000
"""The step in which the free bytes of the disk are reported."""

_STATES = " ".join(f"``{state}``: {text}" for state, text in REPLICA_STATES.items())


class WorkersDocument(WireModel):
    ready: int
    of: int


class KnownFacesDocument(WireModel):
    """The progress of the import of the folder of known people."""

    done: int
    of: int
    people: int
    skipped: list[str]


class DiskDocument(WireModel):
    """The disk of the data folder. ``low``: so little is free that a person must act."""

    free_bytes: int
    total_bytes: int
    low: bool


class BrokerAddressDocument(WireModel):
    """The broker of the gateway. ``base``: the beginning of all topics."""

    host: str
    port: int
    base: str
    tls: bool


class ClusterReplicaDocument(WireModel):
    """A replica of the cluster. ``state``: as the database knows it. ``cameras``: the number of its cameras.

    ``broker``: null for a replica whose lease has ended. ``lease_ended``: the moment of that, in seconds since 1970, by
    the clock of the database; null for a replica that has a lease.
    """

    replica: str
    address: str | None
    version: str
    state: Annotated[ReplicaState, Field(description=_STATES)]
    broker: Literal["connected", "connecting"] | None
    lease_ended: int | None
    cameras: int


class ClusterDocument(WireModel):
    """The cluster, as this replica sees it. ``may_name_people``: whether this replica may name people now.

    ``without_owner``: the number of cameras that no live replica owns.
    """

    name: str
    replica: str
    may_name_people: bool
    leader: str | None
    cameras: int
    without_owner: int
    replicas: list[ClusterReplicaDocument]


class HealthDocument(VersionedModel):
    """The reply to ``/readyz`` and to the operation ``health``, and the message on ``bridge/health``.

    ``audit``: the number and the code of the last line of the audit, once a day. ``disk`` and ``address``: null without
    a running gateway. ``cluster``: null for a gateway that works alone.
    """

    status: Literal["ready", "not_ready"]
    live: bool
    broker: Literal["connected", "connecting"]
    canary: Literal["back", "missing"]
    workers: WorkersDocument
    store: Literal["writable", "read_only"]
    known_faces: KnownFacesDocument
    unknowns: int
    audit: str | None
    disk: DiskDocument | None
    address: BrokerAddressDocument | None
    cluster: ClusterDocument | None
    warnings: list[str]


class LivenessDocument(VersionedModel):
    """The reply to ``/healthz``. ``counts``: by their names, since the start."""

    status: Literal["ok", "stuck"]
    counts: dict[str, int]


class StatusDocument(VersionedModel):
    """The part of the replies to ``/healthz`` and ``/readyz`` that everybody gets."""

    status: Literal["ok", "stuck", "ready", "not_ready"]


class LimitsDocument(WireModel):
    """The largest picture: encoded bytes, pixels, pixels of a side. ``request_s``: the longest time for a reply.

    ``jpeg_pixels``: of a baseline JPEG, which is reduced to ``pixels``.
    """

    bytes: int
    pixels: int
    jpeg_pixels: int
    side: int
    # An integer stays one: 60, not 60.0, as the settings have it.
    request_s: int | float


class BridgeInfoDocument(VersionedModel):
    """The retained message on ``bridge/info``. ``models``: the digest of each model file by its role."""

    version: str
    host: str
    engine: str
    operations: list[str]
    limits: LimitsDocument
    models: dict[str, str]
    instance: str


class BridgeStateDocument(WireModel):
    """The retained message on ``bridge/state``, which is also the last will."""

    state: Literal["online", "offline"]


class ReplicaDocument(VersionedModel):
    """The retained message on ``bridge/replica/<id>``, which is also the last will of a replica.

    ``address``: the setting cluster.address. ``cameras``: those that the replica owns.
    """

    state: Literal["online", "offline"]
    version: str
    address: str | None
    leader: bool
    cameras: list[str]


def write_health(health: Health) -> HealthDocument:
    progress = health.known_faces
    return HealthDocument(
        status="ready" if health.ready else "not_ready",
        live=health.live,
        broker="connected" if health.mqtt.connected else "connecting",
        canary="back" if health.mqtt.loopback else "missing",
        workers=WorkersDocument(ready=health.workers_ready, of=health.workers),
        store="writable" if health.store else "read_only",
        known_faces=KnownFacesDocument(
            done=progress.done,
            of=progress.of,
            people=progress.people,
            # The log has all of them.
            skipped=list(progress.skipped[:MAX_LISTED]),
        ),
        unknowns=health.unknowns,
        audit=health.audit_head,
        disk=_write_disk(health.disk) if health.disk else None,
        address=_write_address(health.address) if health.address else None,
        cluster=_write_cluster(health.cluster) if health.cluster else None,
        warnings=list(health.warnings[:MAX_LISTED]),
    )


def _write_disk(disk: Disk) -> DiskDocument:
    # The gateway announces each change of this document. In steps, a few written bytes are no change.
    free = disk.free - disk.free % FREE_STEP_BYTES
    return DiskDocument(free_bytes=free, total_bytes=disk.total, low=disk.is_low)


def _write_address(address: BrokerAddress) -> BrokerAddressDocument:
    return BrokerAddressDocument(host=address.host, port=address.port, base=address.base, tls=address.tls)


def _write_cluster(cluster: ClusterHealth) -> ClusterDocument:
    view = cluster.view
    return ClusterDocument(
        name=cluster.name,
        replica=cluster.replica,
        may_name_people=cluster.may_name_people,
        leader=view.live_leader,
        cameras=len(view.cameras),
        without_owner=len(view.cameras_without_owner),
        replicas=[_write_replica(view, each) for each in view.replicas[:MAX_LISTED]],
    )


def _write_replica(view: ClusterView, replica: Replica) -> ClusterReplicaDocument:
    is_live = replica.is_live
    return ClusterReplicaDocument(
        replica=replica.id,
        address=replica.address,
        version=replica.version,
        state=view.state_of(replica),
        broker=("connected" if replica.connected else "connecting") if is_live else None,
        # Without the seconds that a lease has left: the gateway announces each change of this document.
        lease_ended=None if is_live else int(replica.lease_until),
        cameras=len(view.cameras_of(replica.id)) if is_live else 0,
    )


def write_liveness(health: Health, counts: Mapping[str, int]) -> LivenessDocument:
    return LivenessDocument(status="ok" if health.live else "stuck", counts=dict(counts))
