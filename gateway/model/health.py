"""The state of the gateway, in one object that every interface shows in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.model.cluster import ClusterHealth

LOW_DISK_BYTES = 1_000_000_000
"""The free bytes of the disk below which a person must act."""


class HasWarnings(Protocol):
    """A part of the gateway that knows of faults which need a person's attention."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each of these faults."""


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """The progress of the import of the folder of known people.

    ``done``: the number of processed pictures, out of ``of``. ``people``: enrolled people. ``skipped``: pictures that
    cannot be used, each with the reason. ``finished``: the first import is complete.
    """

    done: int = 0
    of: int = 0
    people: int = 0
    skipped: tuple[str, ...] = ()
    finished: bool = False


@dataclass(frozen=True, slots=True)
class MqttHealth:
    """The state of the MQTT interface.

    ``alive``: its threads run, connected or not. ``loopback``: a loopback message came back recently, over the
    present connection.
    """

    alive: bool
    connected: bool
    loopback: bool


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """The broker of the gateway, and the beginning of all its topics."""

    host: str
    port: int
    base: str
    tls: bool


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of the data folder. Both are bytes."""

    free: int
    total: int

    @property
    def is_low(self) -> bool:
        """True if a person must act: the people store, its journal and a backup need room."""
        return self.free < LOW_DISK_BYTES


@dataclass(frozen=True, slots=True)
class Health:
    """The state of every part.

    ``workers_ready``: worker processes, of ``workers``, that run and have loaded their models. ``workers_maintained``:
    the threads that replace dead workers run. ``store``: the people store accepts changes. ``unknowns``: the number of
    groups of unknown faces that wait for a name. ``warnings``: sentences about faults that a person should look at,
    although the gateway works. ``audit_head``: the end of the audit at its last report, once a day. ``disk`` and
    ``address``: None without a running gateway. ``backup_pending_s``: seconds since the last backup, 0 if no person
    changed since. ``certificate_ends_at``: the end of the certificate of REST, in seconds since 1970; None without one.
    ``cluster``: None for a gateway that works alone.
    """

    mqtt: MqttHealth
    workers_ready: int
    workers: int
    workers_maintained: bool
    store: bool
    known_faces: ImportProgress
    unknowns: int = 0
    warnings: tuple[str, ...] = ()
    audit_head: str | None = None
    disk: Disk | None = None
    address: BrokerAddress | None = None
    backup_pending_s: float = 0.0
    audit_writable: bool = True
    certificate_ends_at: float | None = None
    cluster: ClusterHealth | None = None

    # False asks systemd or an orchestrator for a restart. A missing broker is no reason: a restart would not help.
    @property
    def live(self) -> bool:
        """True if the gateway works, or can recover without a restart."""
        return self.mqtt.alive and self.workers_maintained

    @property
    def ready(self) -> bool:
        """True if the gateway can answer requests now."""
        mqtt = self.mqtt.connected and self.mqtt.loopback
        lease = self.cluster is None or self.cluster.may_name_people
        return self.live and mqtt and self.workers_ready > 0 and self.store and self.known_faces.finished and lease
