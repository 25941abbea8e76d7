"""The membership of this gateway in a cluster, as its MQTT side needs it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.mqtt.cluster.place import Place
from gateway.store.protocols.broker_notes import BrokerNotes


@dataclass(frozen=True, slots=True)
class ClusterMember:
    """The place of this replica, and the notes that all replicas share.

    It is also the scope of the announcements: a replica announces its own cameras, and the leader everything else.
    """

    place: Place
    notes: BrokerNotes

    @property
    def is_leader(self) -> bool:
        return self.place.is_leader

    def owns(self, camera: str) -> bool:
        return self.place.owns(camera)
