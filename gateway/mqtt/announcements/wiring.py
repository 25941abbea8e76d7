"""The parts of the announcements, built from the settings."""

from __future__ import annotations

from collections.abc import Collection

from gateway.config import Settings
from gateway.mqtt.announcements.announcer import MqttAnnouncer
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.announcements.events import EventQueue
from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.retained import LIVE, RetainedTopics


class Announcements:
    """Everything that the gateway publishes about live cameras, and the retained documents of other parts.

    ``announcer``: for the service of live cameras. ``cameras_with_sightings``: they and the configured ones are
    announced first. Raises StartError if the damaged journal cannot be set aside.
    """

    # These parts exist before the MQTT interface: the service of live cameras needs them, and the interface needs that
    # service.

    def __init__(self, settings: Settings, cameras_with_sightings: Collection[str] = ()) -> None:
        self.retained = RetainedTopics(settings.data / "retained.json")
        self.sender = Sender(settings.mqtt.max_queued)
        self._documents: list[RetainedDocuments] = []
        # Documents are sent first: a retained picture comes before its event.
        documents = self.documents(LIVE)
        events = EventQueue(self.sender.send)
        self.sender.add(events)
        first = settings.configured_cameras.union(cameras_with_sightings)
        self.announcer = MqttAnnouncer(LiveTopics(settings.mqtt.base), settings.live, documents, events, first)

    def documents(self, owner: str) -> RetainedDocuments:
        """Return a new publisher of the retained documents of a part of the gateway. Call this before the start."""
        documents = RetainedDocuments(owner, self.retained, self.sender.send)
        self.sender.add(documents)
        self._documents.append(documents)
        return documents

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about announcements that the broker does not take."""
        return self.sender.warnings

    def repeat(self) -> None:
        """Publish all retained documents again."""
        for documents in self._documents:
            documents.repeat()
