"""The announcer that keeps the devices of Home Assistant up to date: one for each camera and each person."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final, Protocol

from gateway.contract.base import dump
from gateway.integrations.homeassistant.device_table import Descriptions, DeviceTable
from gateway.model import Person
from gateway.model.sightings import CameraState, PersonPresence, Presence, SightingEvent

BIRTH_TOPIC: Final = "homeassistant/status"
"""The topic on which Home Assistant announces its start, whatever its discovery prefix is."""

BIRTH_DELAY_S = (1.0, 5.0)
"""Time between that message and the descriptions. All programs on the broker answer to the same message."""

MIN_REPEAT_INTERVAL_S = 10.0
"""Shortest time between two repetitions: any client of the broker can publish the message."""


class PublishRetained(Protocol):
    """A function that publishes a retained message, now and on each later session with the broker."""

    def __call__(self, topic: str, payload: bytes) -> None:
        """Publish a message in place of the last one on this topic. An empty payload withdraws it."""


class HomeAssistant:
    """Publisher of the descriptions of all devices. Implements Announcer. Safe to use from any thread.

    ``repeat_states``: publishes those states again that are not retained.
    """

    def __init__(
        self,
        publish: PublishRetained,
        devices: DeviceTable,
        repeat_states: Callable[[], None],
        birth_delay_s: Callable[[], float] = lambda: random.uniform(*BIRTH_DELAY_S),
    ) -> None:
        self._publish = publish
        self._devices = devices
        self._repeat_states = repeat_states
        self._birth_delay_s = birth_delay_s
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._repeated_at = -math.inf

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about cameras and people without a device."""
        with self._lock:
            return self._devices.warnings

    def start(self, people: Iterable[Person], earlier: Collection[str]) -> None:
        """Publish all known devices, and withdraw those that are gone. ``earlier``: topics that an earlier run left."""
        with self._lock:
            self._send(self._devices.begin(people, earlier))

    def stop(self) -> None:
        """Stop the repetition that is due, if any."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def receive_status(self, payload: bytes) -> None:
        """Read a message on BIRTH_TOPIC. After a start of Home Assistant, publish everything again a little later."""
        with self._lock:
            if payload != b"online" or self._timer is not None:
                return
            wait_s = self._repeated_at + MIN_REPEAT_INTERVAL_S - time.monotonic()
            self._timer = threading.Timer(max(self._birth_delay_s(), wait_s), self._repeat)
            self._timer.daemon = True
            self._timer.start()

    def announce_snapshot(self, camera: str, picture: bytes) -> None:
        """Do nothing: Home Assistant reads the topic of the picture itself, as it does with all states."""

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

    def _repeat(self) -> None:
        with self._lock:
            self._timer, self._repeated_at = None, time.monotonic()
            self._send(self._devices.all_descriptions())
        self._repeat_states()

    def _send(self, messages: Descriptions) -> None:
        # The lock is held: two threads must not change the order of two descriptions of one device.
        for topic, description in messages.items():
            self._publish(topic, b"" if description is None else dump(description))
