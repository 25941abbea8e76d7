"""The news of live cameras that concern Frigate: names of sightings."""

from __future__ import annotations

from collections.abc import Callable

from gateway.model.sightings import CameraState, PersonPresence, Presence, Sighting, SightingEvent


class NameNews:
    """An Announcer that reports the sightings that get a name, another one, or lose it."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Sighting], None]] = []

    def listen(self, listener: Callable[[Sighting], None]) -> None:
        """Call the function with each sighting whose name has changed. It must not wait."""
        self._listeners.append(listener)

    def announce_event(self, event: SightingEvent) -> None:
        if event.event_type in ("recognised", "changed", "not_them"):
            for listener in self._listeners:
                listener(event.sighting)

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        """Do nothing: Frigate has pictures of its own."""

    def announce_presence(self, presence: Presence) -> None:
        """Do nothing: the names of Frigate's events tell who is on a camera."""

    def announce_person(self, presence: PersonPresence) -> None:
        """Do nothing: Frigate has no list of people."""

    def announce_camera(self, state: CameraState) -> None:
        """Do nothing: Frigate knows its cameras."""

    def announce_switch(self, enabled: bool) -> None:
        """Do nothing: a switched-off camera gets no pictures of Frigate."""

    def remove_person(self, slug: str) -> None:
        """Do nothing: the names in Frigate's events are outside of the gateway (docs/reference/privacy.md)."""

    def remove_camera(self, camera: str) -> None:
        """Do nothing: Frigate knows its cameras."""
