"""The retained description of this replica, on ``bridge/replica/<id>``."""

from __future__ import annotations

from gateway import __version__
from gateway.contract.base import dump
from gateway.contract.health import ReplicaDocument
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.cluster.place import Place
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session


class ReplicaStatus:
    """Publisher of the description. ``address``: the setting cluster.address. Implements Status."""

    def __init__(self, topics: Topics, documents: RetainedDocuments, place: Place, address: str | None) -> None:
        self._topic = topics.replica(place.replica)
        self._documents = documents
        self._place = place
        self._address = address

    @property
    def will(self) -> Publication:
        """The last will, which is also the last message of a replica that stops."""
        gone = ReplicaDocument(state="offline", version=__version__, address=self._address, leader=False, cameras=[])
        return Publication(self._topic, dump(gone), retain=True)

    def start_session(self, session: Session) -> None:
        self.publish()

    def publish(self) -> None:
        """Publish the description as it is now."""
        place = self._place
        document = ReplicaDocument(
            state="online",
            version=__version__,
            address=self._address,
            leader=place.is_leader,
            cameras=sorted(place.owned),
        )
        self._documents.publish(self._topic, dump(document))
