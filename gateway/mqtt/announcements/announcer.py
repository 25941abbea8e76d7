"""The announcer of live cameras on MQTT."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from gateway.config.live_sections import LiveSettings
from gateway.contract.base import dump
from gateway.contract.live import write_camera_state, write_event, write_person_presence, write_presence
from gateway.model.sightings import CameraState, PersonPresence, Presence, SightingEvent
from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.announcements.events import EventQueue
from gateway.mqtt.announcements.scope import Scope
from gateway.mqtt.announcements.snapshots import Snapshots
from gateway.mqtt.codec.live_topics import BRIDGE, LiveTopics
from gateway.mqtt.transport.packets import Publication

ON, OFF = b"ON", b"OFF"


class MqttAnnouncer:
    """Publisher of sightings on the topics of ``docs/reference/mqtt.md``. Implements Announcer.

    ``people``: the documents of people, and of the switch for all cameras. ``first_cameras``: those that are configured
    or have sightings. The others come last: any topic can name a camera.
    """

    def __init__(
        self,
        topics: LiveTopics,
        settings: LiveSettings,
        documents: RetainedDocuments,
        people: RetainedDocuments,
        events: EventQueue,
        scope: Scope,
        first_cameras: Collection[str] = (),
    ) -> None:
        self._topics = topics
        self._first_cameras = frozenset(first_cameras)
        self._documents = documents
        self._people_documents = people
        self._events = events
        self._scope = scope
        self._snapshots = Snapshots(topics, settings.snapshot, documents, events)
        self._cameras: dict[str, CameraState] = {}
        self._presences: dict[str, Presence] = {}
        self._people: dict[str, PersonPresence] = {}

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        if self._scope.owns(camera):
            self._snapshots.show(camera, picture)

    def announce_event(self, event: SightingEvent) -> None:
        sighting = event.sighting
        if not self._scope.owns(sighting.camera):
            return
        people = [each.slug for each in (sighting.person, event.previous) if each is not None]
        people += [each.person.slug for each in sighting.candidates]
        self._snapshots.note_event(event)
        topic, document = self._topics.event(sighting.camera), dump(write_event(event))
        self._events.put(Publication(topic, document, content_type="application/json"), sighting.camera, *people)

    def announce_presence(self, presence: Presence) -> None:
        if self._scope.owns(presence.camera):
            self._publish_presence(presence)

    def _publish_presence(self, presence: Presence) -> None:
        self._presences[presence.camera] = presence
        self._documents.publish(self._topics.present(presence.camera), dump(write_presence(presence)))

    def announce_person(self, presence: PersonPresence) -> None:
        if self._scope.is_leader:
            self._publish_person(presence)

    def _publish_person(self, presence: PersonPresence) -> None:
        self._people[presence.person.slug] = presence
        self._people_documents.publish(self._topics.person(presence.person.slug), dump(write_person_presence(presence)))

    def announce_camera(self, state: CameraState) -> None:
        if self._scope.owns(state.camera):
            self._publish_camera(state)

    def _publish_camera(self, state: CameraState) -> None:
        before, self._cameras[state.camera] = self._cameras.get(state.camera), state
        is_change = before is None or replace(before, last_frame=state.last_frame) != state
        is_urgent = is_change and self._matters(before, state)
        publish = self._documents.publish if is_urgent else self._documents.publish_later
        publish(self._topics.state(state.camera), dump(write_camera_state(state)))
        publish(self._topics.switch(state.camera), ON if state.enabled else OFF)
        if not state.enabled:
            self._snapshots.withdraw(state.camera)

    def announce_switch(self, enabled: bool) -> None:
        if self._scope.is_leader:
            self._people_documents.publish(self._topics.switch(BRIDGE), ON if enabled else OFF)
        if not enabled:
            self._snapshots.withdraw_all()

    def remove_person(self, slug: str) -> None:
        self._people.pop(slug, None)
        # Also of a camera that goes to another replica now, which the live cameras have left already.
        for presence in list(self._presences.values()):
            without = presence.without_person(slug)
            if without != presence:
                self._publish_presence(without)
        if self._scope.is_leader:
            self._people_documents.withdraw(self._topics.person(slug))
        self._events.forget(slug)
        self._snapshots.forget_person(slug)

    def remove_camera(self, camera: str) -> None:
        self._cameras.pop(camera, None)
        self._presences.pop(camera, None)
        if self._scope.owns(camera):
            self._documents.withdraw(*self._topics_of(camera))
        self._events.forget(camera)
        self._snapshots.withdraw(camera)

    def announce_absence(self) -> None:
        """Announce that nobody is present any more, and no camera connected, since the gateway stops."""
        for presence in [each for each in self._presences.values() if each.count]:
            self._publish_presence(Presence(camera=presence.camera, last_text=presence.text, last_at=presence.last_at))
        for person in [each for each in self._people.values() if each.present]:
            self._publish_person(replace(person, present=False))
        for state in [each for each in self._cameras.values() if each.connected]:
            self._publish_camera(replace(state, connected=False))

    def gain_cameras(self) -> None:
        """Begin to announce cameras that other gateways announced before: clear what they have left.

        The cameras belong to this gateway, and those with open sightings were announced.
        """
        # Nobody knows here who is on a retained picture, or is present there: the person may have been erased since.
        self._documents.clear_earlier()

    def release_camera(self, camera: str) -> None:
        """Announce a camera no more: another gateway does."""
        self._cameras.pop(camera, None)
        self._presences.pop(camera, None)
        self._snapshots.release(camera)
        self._documents.release(*self._topics_of(camera))
        self._events.forget(camera)

    def is_confirmed(self, camera: str) -> bool:
        """Return whether the broker has everything that was announced about a camera."""
        return self._documents.is_confirmed(*self._all_topics_of(camera)) and not self._events.has(camera)

    def find_cleared(self, cameras: Iterable[str]) -> list[str]:
        """Return the cameras of which the broker has only what was announced here last, and nothing earlier."""
        if not self._documents.knows_earlier_topics:
            return []
        unconfirmed = self._documents.find_unconfirmed()
        return [each for each in cameras if unconfirmed.isdisjoint(self._all_topics_of(each))]

    def find_withdrawn(self, cameras: Iterable[str]) -> list[str]:
        """Return the cameras of which the broker has no retained message any more."""
        return [each for each in cameras if self._documents.has_cleared(*self._all_topics_of(each))]

    def release_people(self) -> None:
        """Announce people no more: another gateway does."""
        self._people.clear()
        self._people_documents.release_all()

    def _matters(self, before: CameraState | None, state: CameraState) -> bool:
        """Return whether a camera sends pictures, has sent some, or is configured."""
        was_connected = before is not None and before.connected
        return state.connected or was_connected or state.camera in self._first_cameras

    def _topics_of(self, camera: str) -> tuple[str, str, str]:
        topics = self._topics
        return topics.present(camera), topics.state(camera), topics.switch(camera)

    def _all_topics_of(self, camera: str) -> tuple[str, ...]:
        return *self._topics_of(camera), self._topics.snapshot(camera)

    def restore(self, most_cameras: int) -> None:
        """Take over the cameras of an earlier run: nobody is there, and no frame has come yet."""
        known = self._topics.read_cameras(self._documents.earlier_topics)
        # The topics of further cameras are cleared, or their number could grow with each run.
        cameras = sorted(known, key=lambda camera: camera not in self._first_cameras)[:most_cameras]
        # All names disappear before anything else is said.
        for camera in cameras:
            self.announce_presence(Presence(camera=camera))
        for camera in cameras:
            self.announce_camera(CameraState(camera=camera))
