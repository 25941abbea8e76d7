"""The simulation: cameras that send pictures on a schedule, and one sequence of all events."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from device_sim.camera import Camera
from device_sim.inbox import Inbox, Stopped
from device_sim.model import Event

# Longest delay of the schedule in seconds that is made up for. A laptop that slept sends no burst of pictures.
MAX_BACKLOG_S = 1.0
# Interval at which due repetitions and timeouts are checked.
MAINTENANCE_INTERVAL_S = 0.05
# Time to wait after the last answer, for its verdict text or a duplicate.
LINGER_S = 0.2


class Simulation:
    """All cameras, run on the caller's thread. Their pictures are evenly spaced in time.

    Picture n is due n periods after the first one. So the rate does not depend on the time that pictures take.
    """

    def __init__(self, cameras: Sequence[Camera], inbox: Inbox, *, rate: float, timeout: float) -> None:
        self._cameras = cameras
        self._by_name = {camera.name: camera for camera in cameras}
        self._inbox = inbox
        self._period = 1 / (rate * len(cameras))
        self._timeout = timeout
        self._next_upkeep = 0.0

    def events(self, *, count: int | None = None, seconds: float | None = None) -> Iterator[Event]:
        """Send pictures, and yield all events. Stop sending after ``count`` pictures of each camera, or ``seconds``.

        Then outstanding answers are awaited, up to the timeout. The first Ctrl-C ends the sending, a second one the
        waiting.
        """
        with suppress(Stopped):
            yield from self._send(count, seconds)
        with suppress(Stopped):
            yield from self._wait_for_the_rest()

    def _send(self, count: int | None, seconds: float | None) -> Iterator[Event]:
        start = due = time.monotonic()
        number = 0
        while count is None or number < count * len(self._cameras):
            yield from self._receive(until=due)
            if seconds is not None and time.monotonic() - start >= seconds:
                return
            yield self._cameras[number % len(self._cameras)].send_picture()
            number += 1
            due = max(due + self._period, time.monotonic() - MAX_BACKLOG_S)

    def _receive(self, until: float) -> Iterator[Event]:
        """Yield the events until a time. At least one message is read, even if the schedule is late."""
        while True:
            yield from self._maintain()
            yield from self._read(min(until, self._next_upkeep) - time.monotonic())
            if time.monotonic() >= until:
                return

    def _read(self, seconds: float) -> Iterator[Event]:
        """Yield the events of the next message, if one arrives within that time."""
        message = self._inbox.get(seconds)
        if message is not None:
            yield from self._by_name[message.camera].read(message)

    def _maintain(self) -> Iterator[Event]:
        now = time.monotonic()
        if now >= self._next_upkeep:
            self._next_upkeep = now + MAINTENANCE_INTERVAL_S
            # Received answers are read first, so that answered requests are not repeated.
            for _ in range(self._inbox.waiting):
                yield from self._read(0)
            for camera in self._cameras:
                yield from camera.maintain()

    def _wait_for_the_rest(self) -> Iterator[Event]:
        end = time.monotonic() + self._timeout
        while any(camera.is_waiting() for camera in self._cameras) and time.monotonic() < end:
            yield from self._receive(until=min(end, time.monotonic() + 0.05))
        yield from self._receive(until=min(end, time.monotonic() + LINGER_S))
        self._next_upkeep = 0
        yield from self._maintain()
