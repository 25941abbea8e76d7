"""Announcers of a cluster: some announcements come from the owner of a camera, the others from the leader."""

from __future__ import annotations

from gateway.live.announcer import Announcer
from gateway.model.sightings import CameraState, PersonPresence, Presence, SightingEvent


class OwnerAnnouncer:
    """The announcements about cameras, and removals of people: the leader announces where people are."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        self._announcer.announce_snapshot(camera, picture)

    def announce_event(self, event: SightingEvent) -> None:
        self._announcer.announce_event(event)

    def announce_presence(self, presence: Presence) -> None:
        self._announcer.announce_presence(presence)

    def announce_person(self, presence: PersonPresence) -> None:
        """Do nothing: the person may be on a camera of another replica."""

    def announce_camera(self, state: CameraState) -> None:
        self._announcer.announce_camera(state)

    def announce_switch(self, enabled: bool) -> None:
        self._announcer.announce_switch(enabled)

    def remove_person(self, slug: str) -> None:
        self._announcer.remove_person(slug)

    def remove_camera(self, camera: str) -> None:
        self._announcer.remove_camera(camera)


class LeaderAnnouncer:
    """The announcements about people, and about the switch for all cameras."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        """Do nothing: the owner of the camera announces it."""

    def announce_event(self, event: SightingEvent) -> None:
        """Do nothing: the owner of the camera announces it."""

    def announce_presence(self, presence: Presence) -> None:
        """Do nothing: the owner of the camera announces it."""

    def announce_person(self, presence: PersonPresence) -> None:
        self._announcer.announce_person(presence)

    def announce_camera(self, state: CameraState) -> None:
        """Do nothing: the owner of the camera announces it."""

    def announce_switch(self, enabled: bool) -> None:
        self._announcer.announce_switch(enabled)

    def remove_person(self, slug: str) -> None:
        self._announcer.remove_person(slug)

    def remove_camera(self, camera: str) -> None:
        """Do nothing: every replica learns that a camera is forgotten."""


class RemovalAnnouncer:
    """The removals alone: a replica that becomes the leader later must name nobody who was removed before."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        """Do nothing."""

    def announce_event(self, event: SightingEvent) -> None:
        """Do nothing."""

    def announce_presence(self, presence: Presence) -> None:
        """Do nothing."""

    def announce_person(self, presence: PersonPresence) -> None:
        """Do nothing."""

    def announce_camera(self, state: CameraState) -> None:
        """Do nothing."""

    def announce_switch(self, enabled: bool) -> None:
        """Do nothing."""

    def remove_person(self, slug: str) -> None:
        self._announcer.remove_person(slug)

    def remove_camera(self, camera: str) -> None:
        self._announcer.remove_camera(camera)
