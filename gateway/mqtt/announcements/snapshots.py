"""The pictures of the last sightings, and the people whom they show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gateway.model.sightings import SightingEvent
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.announcements.events import EventQueue
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.transport.packets import Publication

PICTURE = "*"
"""The subject of a picture in the queue: of anybody. It is no name of a camera, and no id of a person."""


@dataclass(frozen=True, slots=True)
class ShownFace:
    """The sighting that a picture belongs to, and the person, as far as they are known."""

    sighting: str | None = None
    person: str | None = None


class Snapshots:
    """Publisher of a picture of each sighting, before its event.

    ``mode``: the setting ``live.snapshot``. A retained picture stays at the broker until the next one, until its camera
    is switched off or forgotten, until the person whom it may show is removed, or until the next start: the person may
    have been erased while no gateway ran.
    """

    def __init__(
        self,
        topics: LiveTopics,
        mode: Literal["off", "sent", "retained"],
        documents: RetainedDocuments,
        events: EventQueue,
    ) -> None:
        self._topics = topics
        self._mode = mode
        self._documents = documents
        self._events = events
        # Of the retained pictures at the broker.
        self._shown: dict[str, ShownFace] = {}

    def show(self, camera: str, picture: bytes) -> None:
        """Publish the picture of a sighting, a JPEG. ``note_event`` says whose it is."""
        topic = self._topics.snapshot(camera)
        match self._mode:
            case "sent":
                self._events.put(Publication(topic, picture, content_type="image/jpeg"), camera, PICTURE)
            case "retained":
                self._documents.publish(topic, picture)
                self._shown[camera] = ShownFace()

    def note_event(self, event: SightingEvent) -> None:
        """Note whom the picture of the camera shows, if the event belongs to that picture."""
        sighting, shown = event.sighting, self._shown.get(event.sighting.camera)
        if shown is not None and shown.sighting in (None, sighting.id):
            person = sighting.person.slug if sighting.person else None
            self._shown[sighting.camera] = ShownFace(sighting.id, person)

    def forget_person(self, slug: str) -> None:
        """Withdraw the pictures that show the person, and those of which it is not known whom they show."""
        self._events.forget(PICTURE)
        self._withdraw([camera for camera, shown in self._shown.items() if shown.person in (None, slug)])

    def withdraw(self, camera: str) -> None:
        """Withdraw the picture of a camera."""
        self._withdraw([camera])

    def release(self, camera: str) -> None:
        """Forget the picture of a camera that another gateway announces from now on."""
        self._shown.pop(camera, None)
        self._documents.release(self._topics.snapshot(camera))

    def withdraw_all(self) -> None:
        self._withdraw(list(self._shown))

    def _withdraw(self, cameras: Iterable[str]) -> None:
        shown = [camera for camera in cameras if self._shown.pop(camera, None) is not None]
        self._documents.withdraw(*map(self._topics.snapshot, shown))
