"""The announcements of live cameras, and the parts of the gateway that get them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.model.sightings import CameraState, EventType, PersonPresence, Presence, SightingEvent


class Announcer(Protocol):
    """A part of the gateway that publishes news about sightings.

    All methods are called by one thread, in the order in which things happened. They must not wait.
    """

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        """Announce the picture of a sighting, a JPEG. The event that belongs to it follows."""

    def announce_event(self, event: SightingEvent) -> None:
        """Announce something that happened in a sighting."""

    def announce_presence(self, presence: Presence) -> None:
        """Announce the people on a camera. Called at the start for each known camera, and on each change."""

    def announce_person(self, presence: PersonPresence) -> None:
        """Announce where a person is. Called at the start for each enrolled person, and on each change."""

    def announce_camera(self, state: CameraState) -> None:
        """Announce the state of a camera. Called when it is first seen, on each change, and at most every 10 s."""

    def announce_switch(self, enabled: bool) -> None:
        """Announce the switch for all cameras. Called at the start, and on each change.

        A camera is followed while this switch and its own, ``CameraState.enabled``, are both on.
        """

    def remove_person(self, slug: str) -> None:
        """Withdraw everything that names a person who was removed."""

    def remove_camera(self, camera: str) -> None:
        """Withdraw everything about a camera that was forgotten."""


class Announcers:
    """Several announcers, as one. ``count_event``: gets the type of each event."""

    def __init__(
        self, announcers: Sequence[Announcer], count_event: Callable[[EventType], None] = lambda _type: None
    ) -> None:
        self._announcers = tuple(announcers)
        self._count_event = count_event

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        for each in self._announcers:
            each.announce_snapshot(camera, picture)

    def announce_event(self, event: SightingEvent) -> None:
        self._count_event(event.event_type)
        for each in self._announcers:
            each.announce_event(event)

    def announce_presence(self, presence: Presence) -> None:
        for each in self._announcers:
            each.announce_presence(presence)

    def announce_person(self, presence: PersonPresence) -> None:
        for each in self._announcers:
            each.announce_person(presence)

    def announce_camera(self, state: CameraState) -> None:
        for each in self._announcers:
            each.announce_camera(state)

    def announce_switch(self, enabled: bool) -> None:
        for each in self._announcers:
            each.announce_switch(enabled)

    def remove_person(self, slug: str) -> None:
        for each in self._announcers:
            each.remove_person(slug)

    def remove_camera(self, camera: str) -> None:
        for each in self._announcers:
            each.remove_camera(camera)
