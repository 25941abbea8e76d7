"""Cameras that take pictures on a schedule, and what comes back, as one sequence of events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from device_sim.camera import Camera
from device_sim.inbox import Inbox, Stop
from device_sim.model import Event

# A schedule that fell behind by more than this (a laptop that slept) is not made up for in a burst.
BACKLOG = 1.0
# Seconds between looks at what is due again or too late.
UPKEEP = 0.05
# Seconds for what comes right behind the last answer: its verdict, or the same once more.
LINGER = 0.2


class Simulation:
    """Drives all cameras from the caller's thread, evenly spaced in time.

    The n-th picture is due n periods after the first, whatever the ones before took, so the rate holds.
    """

    def __init__(self, cameras: Sequence[Camera], inbox: Inbox, *, rate: float, timeout: float) -> None:
        self._cameras = cameras
        self._by_name = {camera.name: camera for camera in cameras}
        self._inbox = inbox
        self._period = 1 / (rate * len(cameras))
        self._timeout = timeout
        self._next_upkeep = 0.0

    def events(self, *, count: int | None = None, seconds: float | None = None) -> Iterator[Event]:
        """``count`` pictures from each camera, or as many as fit in so many seconds, or until stopped.

        Then it waits for what is outstanding, up to the timeout. The first Ctrl-C ends the sending, a second
        one the waiting.
        """
        with suppress(Stop):
            yield from self._send(count, seconds)
        with suppress(Stop):
            yield from self._wait_for_the_rest()

    def _send(self, count: int | None, seconds: float | None) -> Iterator[Event]:
        start = due = time.monotonic()
        number = 0
        while count is None or number < count * len(self._cameras):
            yield from self._receive(until=due)
            if seconds is not None and time.monotonic() - start >= seconds:
                return
            yield self._cameras[number % len(self._cameras)].shoot()
            number += 1
            due = max(due + self._period, time.monotonic() - BACKLOG)

    def _receive(self, until: float) -> Iterator[Event]:
        """At least one message where there is any, so that a run behind its schedule still reads."""
        while True:
            yield from self._keep_up()
            yield from self._read(min(until, self._next_upkeep) - time.monotonic())
            if time.monotonic() >= until:
                return

    def _read(self, seconds: float) -> Iterator[Event]:
        """One message, if there is one within that time."""
        message = self._inbox.get(seconds)
        if message is not None:
            yield from self._by_name[message.camera].read(message)

    def _keep_up(self) -> Iterator[Event]:
        now = time.monotonic()
        if now >= self._next_upkeep:
            self._next_upkeep = now + UPKEEP
            for _ in range(self._inbox.waiting):  # or what has been answered would be asked again
                yield from self._read(0)
            for camera in self._cameras:
                yield from camera.upkeep()

    def _wait_for_the_rest(self) -> Iterator[Event]:
        end = time.monotonic() + self._timeout
        while any(camera.waiting() for camera in self._cameras) and time.monotonic() < end:
            yield from self._receive(until=min(end, time.monotonic() + 0.05))
        yield from self._receive(until=min(end, time.monotonic() + LINGER))
        self._next_upkeep = 0
        yield from self._keep_up()
