"""The simulation: cameras that send pictures on a schedule, and one sequence of all events."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count

from device_sim.camera import Camera
from device_sim.disturbances import Disturbances
from device_sim.errors import NoNewPicture
from device_sim.inbox import Inbox, Stopped
from device_sim.model import Discarded, Event, Outgoing, Skipped

# Longest delay of the schedule in seconds that is made up for. A laptop that slept sends no burst of pictures.
MAX_BACKLOG_S = 1.0
# Interval at which due repetitions and timeouts are checked. Many cameras are checked less often.
MAINTENANCE_INTERVAL_S = 0.05
MAX_MAINTAINED_PER_S = 5_000
# Time to wait after the last answer, for its verdict text or a duplicate.
LINGER_S = 0.2


class Simulation:
    """All cameras, run on the caller's thread. Their pictures are evenly spaced in time.

    Picture n is due n periods after the first one. So the rate does not depend on the time that pictures take.
    """

    def __init__(
        self,
        cameras: Sequence[Camera],
        inbox: Inbox,
        *,
        rate: float,
        timeout: float,
        disturbances: Disturbances | None = None,
    ) -> None:
        self._cameras = cameras
        self._by_name = {camera.name: camera for camera in cameras}
        self._inbox = inbox
        self._period = 1 / rate
        self._timeout = timeout
        self._disturbances = disturbances or Disturbances()
        self._maintenance_interval = max(MAINTENANCE_INTERVAL_S, len(cameras) / MAX_MAINTAINED_PER_S)
        self._next_upkeep = 0.0
        # The delayed pictures by their time. The number keeps pictures of one time in their order.
        self._delayed: list[tuple[float, int, Camera, Outgoing]] = []
        self._numbers = count()

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
        start = time.monotonic()
        for number, (camera, due) in enumerate(self._schedule(start)):
            if number == (None if count is None else count * len(self._cameras)):
                return
            yield from self._receive(until=due)
            if seconds is not None and time.monotonic() - start >= seconds:
                return
            yield from self._take_picture(camera)

    def _schedule(self, start: float) -> Iterator[tuple[Camera, float]]:
        """Yield each camera with the time of its next picture, in the order of these times."""
        spacing = self._period / len(self._cameras)
        periods = [self._disturbances.skewed(self._period) for _ in self._cameras]
        due = [(start + number * spacing, number) for number in range(len(self._cameras))]
        while True:
            at, number = due[0]
            yield self._cameras[number], at
            following = max(at + periods[number], time.monotonic() - MAX_BACKLOG_S)
            heapq.heapreplace(due, (following, number))

    def _take_picture(self, camera: Camera) -> Iterator[Event]:
        try:
            outgoing = camera.take_picture()
        except NoNewPicture:
            yield Skipped(camera.name)
            return
        delays = self._disturbances.delays(self._period)
        if not delays:
            yield Discarded(camera.name)
        for delay in delays:
            if delay:
                heapq.heappush(self._delayed, (time.monotonic() + delay, next(self._numbers), camera, outgoing))
            else:
                yield camera.send(outgoing)

    def _receive(self, until: float) -> Iterator[Event]:
        """Yield the events until a time. At least one message is read, even if the schedule is late."""
        while True:
            yield from self._maintain()
            yield from self._send_delayed()
            next_delayed = self._delayed[0][0] if self._delayed else until
            yield from self._read(min(until, self._next_upkeep, next_delayed) - time.monotonic())
            if time.monotonic() >= until:
                return

    def _send_delayed(self) -> Iterator[Event]:
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            _, _, camera, outgoing = heapq.heappop(self._delayed)
            yield camera.send(outgoing)

    def _read(self, seconds: float) -> Iterator[Event]:
        """Yield the events of the next message, if one arrives within that time."""
        message = self._inbox.get(seconds)
        if message is not None:
            yield from self._by_name[message.camera].read(message)

    def _maintain(self) -> Iterator[Event]:
        now = time.monotonic()
        if now >= self._next_upkeep:
            self._next_upkeep = now + self._maintenance_interval
            # Received answers are read first, so that answered requests are not repeated.
            for _ in range(self._inbox.waiting):
                yield from self._read(0)
            for camera in self._cameras:
                yield from camera.maintain()

    def _wait_for_the_rest(self) -> Iterator[Event]:
        end = time.monotonic() + self._timeout
        while (self._delayed or any(camera.is_waiting() for camera in self._cameras)) and time.monotonic() < end:
            yield from self._receive(until=min(end, time.monotonic() + self._maintenance_interval))
        yield from self._receive(until=min(end, time.monotonic() + LINGER_S))
        self._next_upkeep = 0
        yield from self._maintain()
