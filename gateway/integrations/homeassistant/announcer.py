"""The announcer that keeps the devices of Home Assistant up to date: one for each camera and each person."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Protocol

from gateway.contract.base import dump
from gateway.integrations.homeassistant.device_table import Descriptions, DeviceTable
from gateway.model import Person
from gateway.model.sightings import CameraState, PersonPresence, Presence, SightingEvent


class Publish(Protocol):
    """A function that publishes a retained message, now and on each later session with the broker."""

    def __call__(self, topic: str, payload: bytes) -> None:
        """Publish a message in place of the last one on this topic. An empty payload withdraws it."""


class DeviceAnnouncer:
    """Publisher of the descriptions of all devices. Implements Announcer. Safe to use from any thread.

    Home Assistant reads all states from the topics that a description names, so this announcer publishes no states.
    """

    def __init__(self, publish: Publish, devices: DeviceTable) -> None:
        self._publish = publish
        self._devices = devices
        # Held while something is published: two threads must not change the order of two descriptions of a device.
        self._lock = threading.Lock()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about cameras and people without a device."""
        return self._devices.warnings

    def start(self, people: Iterable[Person]) -> None:
        """Publish the devices of the gateway, of all known cameras and of all enrolled people."""
        with self._lock:
            self._send(self._devices.begin(people))

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        """Do nothing."""

    def announce_event(self, event: SightingEvent) -> None:
        """Do nothing."""

    def announce_switch(self, enabled: bool) -> None:
        """Do nothing."""

    def announce_presence(self, presence: Presence) -> None:
        """Make the device of a new camera."""
        with self._lock:
            self._send(self._devices.add_camera(presence.camera))

    def announce_camera(self, state: CameraState) -> None:
        """Make the device of a new camera."""
        with self._lock:
            self._send(self._devices.add_camera(state.camera))

    def announce_person(self, presence: PersonPresence) -> None:
        """Make the device of a new person, and rename that of a renamed one."""
        with self._lock:
            self._send(self._devices.add_person(presence.person))

    def remove_person(self, slug: str) -> None:
        """Remove the device of a person. Another person may take its place."""
        with self._lock:
            self._send(self._devices.remove_person(slug))

    def remove_camera(self, camera: str) -> None:
        """Remove the device of a camera."""
        with self._lock:
            self._send(self._devices.remove_camera(camera))

    def _send(self, descriptions: Descriptions) -> None:
        for topic, description in descriptions.items():
            self._publish(topic, b"" if description is None else dump(description))
