"""The retained description of this replica, on ``bridge/replica/<id>``."""

from __future__ import annotations

from contextlib import suppress

from gateway import __version__
from gateway.contract.base import dump
from gateway.contract.health import ReplicaDocument
from gateway.errors import Busy
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.cluster.place import Place
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session
from gateway.periodic_thread import PeriodicThread

TIDY_INTERVAL_S = 60.0
"""Time between two looks of the leader for descriptions of replicas that do not exist any more."""


class ReplicaStatus:
    """Publisher of the description, and the thread by which the leader clears those of replicas that do not exist.

    ``address``: the setting cluster.address. Implements Status.
    """

    def __init__(self, topics: Topics, documents: RetainedDocuments, place: Place, address: str | None) -> None:
        self._topic = topics.replica(place.replica)
        self._documents = documents
        self._place = place
        self._address = address
        self._topic_of = topics.replica
        self._unused: frozenset[str] = frozenset()
        failure = "the descriptions of replicas that do not exist any more cannot be cleared"
        self._thread = PeriodicThread("replica status", TIDY_INTERVAL_S, self._tidy, failure)

    @property
    def will(self) -> Publication:
        """The last will, which is also the last message of a replica that stops."""
        gone = ReplicaDocument(state="offline", version=__version__, address=self._address, leader=False, cameras=[])
        return Publication(self._topic, dump(gone), retain=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop()

    def _tidy(self) -> None:
        """Clear the descriptions of replicas that are forgotten, if this replica leads."""
        if not self._place.is_leader:
            return
        used = {self._topic_of(each.id) for each in self._place.view().replicas if not each.is_forgotten}
        with suppress(Busy):
            unused = frozenset(self._documents.earlier_topics) - used - {self._topic}
            # In two looks: a replica that has just begun may not be in the view yet.
            self._documents.clear(*unused & self._unused)
            self._unused = unused

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
