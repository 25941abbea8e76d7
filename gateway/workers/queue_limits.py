"""How much may wait for a worker, in number and in bytes, and whose job goes when there is no room for another."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.workers.job import Job
from gateway.workers.lane import Lane

MAX_STREAMS = 1000
"""Live frames that wait, one of a camera."""


class NoRoom(Exception):
    """The message says which limit is reached."""


@dataclass(frozen=True, slots=True)
class Room:
    """``requests`` may wait, of one lane ``per_lane``. Their pictures may have ``bytes`` in all, and those of the live
    frames as much again; of one lane the same part of the bytes as of the requests.

    A lane of many senders (``shared`` is False) may have half of both. One job always fits, however large it is.
    """

    requests: int
    per_lane: int
    bytes: int

    def share(self, lane: Lane) -> int:
        """Requests of the lane that may wait."""
        return self.per_lane if lane.shared else max(self.per_lane, self.requests // 2)

    def share_bytes(self, lane: Lane) -> float:
        return min(1.0, self.share(lane) / self.requests) * self.bytes

    def check_share(self, lane: Lane, more_bytes: int = 0) -> None:
        """Raises NoRoom if the lane has its share waiting."""
        if len(lane.requests) >= self.share(lane):
            raise NoRoom(f"{lane.name} has its share of the queue waiting ({self.share(lane)})")
        if lane.requests and lane.bytes + more_bytes > self.share_bytes(lane):
            raise NoRoom(f"{lane.name} has its share of the queue's memory waiting (workers.queue_bytes)")

    def fullness(self, lane: Lane, more: int = 0, more_bytes: int = 0) -> float:
        """The jobs of the lane that wait, as a part of its share."""
        count, size = len(lane.requests) + more, lane.bytes + more_bytes
        return max(count / self.share(lane), size / self.share_bytes(lane))

    def yielding(self, lanes: Collection[Lane], lane: Lane, more_bytes: int = 0) -> Lane | None:
        """The lane that has to give up its newest request, for another one of ``lane`` to fit; None if it fits.

        That is the fullest one, if it is fuller than ``lane`` would be: a camera with several requests waiting makes
        room for a camera with none. Raises NoRoom if there is no such lane.
        """
        full = self._full(lanes, more_bytes)
        if not full:
            return None
        fullest = max(lanes, key=self.fullness)
        if self.fullness(fullest) <= self.fullness(lane, 1, more_bytes):
            raise NoRoom(full)
        return fullest

    def make_room(self, lanes: Collection[Lane], lane: Lane, more_bytes: int) -> list[Job]:
        """Take requests out until another one of ``lane`` fits. Raises NoRoom, and takes none out, if it never does."""
        taken: list[tuple[Lane, Job]] = []
        try:
            while (fullest := self.yielding(lanes, lane, more_bytes)) is not None:
                taken.append((fullest, fullest.requests.pop()))
        except NoRoom:
            for other, job in reversed(taken):
                other.requests.append(job)
            raise
        return [job for _, job in taken]

    def drop_frames(self, lanes: Collection[Lane]) -> list[Job]:
        """Drop the largest waiting frames, of equal ones the newest, until the others fit."""
        frames = [lane for lane in lanes if lane.frame is not None]
        size = {lane: lane.frame.bytes for lane in frames if lane.frame is not None}
        dropped: list[Job] = []
        while len(size) > 1 and sum(size.values()) > self.bytes:
            largest = max(size, key=lambda lane: (size[lane], lane.frame.queued if lane.frame else 0))
            size.pop(largest)
            if (frame := largest.drop_frame()) is not None:
                dropped.append(frame)
        return dropped

    def _full(self, lanes: Collection[Lane], more_bytes: int) -> str:
        """Which limit another request would exceed; empty if none."""
        if sum(len(lane.requests) for lane in lanes) >= self.requests:
            return f"the queue is full ({self.requests} waiting)"
        size = sum(lane.bytes for lane in lanes)
        if size and size + more_bytes > self.bytes:
            return f"the queue is full ({size} bytes waiting, workers.queue_bytes)"
        return ""
