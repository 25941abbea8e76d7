"""The parts of the announcements, built from the settings."""

from __future__ import annotations

from collections.abc import Collection

from gateway.config import Settings
from gateway.mqtt.announcements.announcer import MqttAnnouncer
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.announcements.events import EventQueue
from gateway.mqtt.announcements.scope import Everything, Scope
from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.cluster.member import ClusterMember
from gateway.mqtt.cluster.shared_journal import SharedRetainedTopics
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.retained import LIVE, PEOPLE, REPLICA, RetainedJournal, RetainedTopics


class Announcements:
    """Everything that the gateway publishes about live cameras, and the retained documents of other parts.

    ``announcer``: for the service of live cameras. ``cameras_with_sightings``: they and the configured ones are
    announced first. ``sender``: for the connection of requests. ``leader_sender``: for the connection of the leader of
    a cluster; of a gateway alone it is the same. ``replica``: the documents about this replica of a cluster.
    Raises StartError if the damaged journal of topics cannot be set aside.
    """

    # These parts exist before the MQTT interface: the service of live cameras needs them, and the interface needs that
    # service.

    def __init__(
        self,
        settings: Settings,
        cameras_with_sightings: Collection[str] = (),
        cluster: ClusterMember | None = None,
    ) -> None:
        self._topics = topics = LiveTopics(settings.mqtt.base)
        self.cluster = cluster
        self._scope: Scope = cluster or Everything()
        self.retained: RetainedJournal = (
            RetainedTopics(settings.data / "retained.json") if cluster is None else SharedRetainedTopics(cluster.notes)
        )
        self.sender = Sender(settings.mqtt.max_queued)
        self.leader_sender = self.sender if cluster is None else Sender(settings.mqtt.max_queued)
        self._documents: list[RetainedDocuments] = []
        self._leader_documents: list[RetainedDocuments] = []
        # Documents are sent first: a retained picture comes before its event.
        documents = self._add(self.sender, RetainedDocuments(LIVE, self.retained, self.sender.send, self._is_mine))
        people = documents if cluster is None else self.documents(PEOPLE)
        events = EventQueue(self.sender.send)
        self.sender.add(events)
        self.replica: RetainedDocuments | None = None
        if cluster is not None:
            is_own = Topics(settings.mqtt.base).replica(cluster.place.replica).__eq__
            self.replica = self._add(self.sender, RetainedDocuments(REPLICA, self.retained, self.sender.send, is_own))
        first = settings.configured_cameras.union(cameras_with_sightings)
        self.announcer = MqttAnnouncer(topics, settings.live, documents, people, events, self._scope, first)
        if settings.live.enabled and cluster is None:
            self.announcer.restore(settings.live.most_cameras)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about announcements that the broker does not take."""
        refused = (sentence for each in self._documents for sentence in each.warnings)
        return tuple(dict.fromkeys((*self.sender.warnings, *self.leader_sender.warnings, *refused)))

    def documents(self, owner: str) -> RetainedDocuments:
        """Return a new publisher of the retained documents of a part of the gateway. Call this before the start."""
        made = self._add(self.leader_sender, RetainedDocuments(owner, self.retained, self.leader_sender.send))
        self._leader_documents.append(made)
        return made

    def has_cleared_as_leader(self) -> bool:
        """Return whether the broker has only what this leader announced last, and nothing of an earlier one."""
        # The session of a leader begins with a look at the topics of earlier ones.
        return self.leader_sender.has_session and all(
            each.knows_earlier_topics and not each.find_unconfirmed() for each in self._leader_documents
        )

    def repeat(self) -> None:
        """Publish all retained documents again."""
        for documents in self._documents:
            documents.repeat()

    def _add(self, sender: Sender, documents: RetainedDocuments) -> RetainedDocuments:
        sender.add(documents)
        self._documents.append(documents)
        return documents

    def _is_mine(self, topic: str) -> bool:
        """Return whether this gateway announces the camera of a topic."""
        camera = self._topics.read_camera(topic)
        return camera is None or self._scope.owns(camera)
