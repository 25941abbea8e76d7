"""The health of the gateway: the state of each part, and the warnings of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.app.replica import ReplicaParts
from gateway.app.single import SingleGateway
from gateway.config import Settings
from gateway.model.health import HasWarnings, Health, ImportProgress
from gateway.mqtt.interface import MqttInterface
from gateway.people.services import PeopleServices
from gateway.rest.server import RestServer
from gateway.service.gateway_info import DataDisk, broker_address
from gateway.workers.pool import Pool


class HealthReport:
    """The reader of the health. ``others``: further parts with warnings, which come last."""

    def __init__(
        self,
        settings: Settings,
        pool: Pool,
        people: PeopleServices,
        mqtt: MqttInterface,
        rest: RestServer,
        others: Sequence[HasWarnings],
        place: ReplicaParts | SingleGateway,
    ) -> None:
        self._address = broker_address(settings.mqtt)
        self._disk = DataDisk(settings.data)
        self._place = place
        self._pool = pool
        self._people = people
        self._mqtt = mqtt
        self._rest = rest
        store = people.store
        of_store: list[HasWarnings] = [store.status, store.audit]
        of_people: list[HasWarnings] = [people.updater, people.backups, people.audit, people.groups]
        self._parts = (pool, *of_store, *of_people, people.sightings, people.folder, mqtt, rest, *others, place)

    def read(self) -> Health:
        """Return the state of every part."""
        people = self._people
        return Health(
            mqtt=self._mqtt.health,
            workers_ready=self._pool.ready,
            workers=self._pool.size,
            workers_maintained=self._pool.has_all_keepers,
            store=people.watcher.writable,
            known_faces=self._read_progress(),
            unknowns=people.groups.waiting,
            warnings=tuple(warning for part in self._parts for warning in part.warnings),
            audit_head=people.audit.head,
            disk=self._disk.read(),
            address=self._address,
            backup_pending_s=people.backups.pending_s,
            audit_writable=people.store.audit.is_writable,
            certificate_ends_at=self._rest.certificate_ends_at,
            cluster=self._place.cluster_health(),
        )

    def _read_progress(self) -> ImportProgress:
        """Return the progress of the import. Another replica may import the folder: this one need not wait for it."""
        progress = self._people.folder.progress
        if self._place.leads:
            return progress
        return replace(progress, people=len(self._people.gallery), finished=True)
