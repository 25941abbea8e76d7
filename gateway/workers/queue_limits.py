"""The limits of the queue, in jobs and bytes, and the choice of the job that is displaced when the queue is full."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gateway.workers.job import Job
from gateway.workers.lane import Lane

MAX_STREAMS = 1000
"""Largest number of live frames that wait, one for each camera."""


class QueueFull(Exception):
    """The queue is full. The message names the limit that is reached."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """The limits of the queue.

    ``requests``: the largest number of waiting requests. ``per_lane``: the same for one lane. ``bytes``: the largest
    size of the pictures of all waiting requests. All live frames together may have the same size again. A lane may use
    the same share of the bytes as of the requests.

    A lane of a program (``shared`` is False) may use half of both while others leave room. A single job always fits,
    even a larger one.
    """

    requests: int
    per_lane: int
    bytes: int

    def share(self, lane: Lane) -> int:
        """Return the number of requests of the lane that may wait."""
        return self.per_lane if lane.shared else max(self.per_lane, self.requests // 2)

    def share_bytes(self, lane: Lane) -> float:
        """Return the bytes of the lane's requests that may wait."""
        return self._bytes_of(self.share(lane))

    def check_share(self, lane: Lane, more_bytes: int = 0) -> None:
        """Raise QueueFull if the lane uses its whole share."""
        if len(lane.requests) >= self.share(lane):
            raise QueueFull(f"{lane.name} uses its whole share of the queue ({self.share(lane)} requests)")
        if lane.requests and lane.bytes + more_bytes > self.share_bytes(lane):
            raise QueueFull(f"{lane.name} uses its whole share of the queue's memory (workers.queue_bytes)")

    def fullness(self, lane: Lane, more: int = 0, more_bytes: int = 0) -> float:
        """Return the number of camera's shares that the lane uses, with the given further requests and bytes."""
        # The same measure for all: otherwise several programs with larger shares would displace the cameras.
        count, size = len(lane.requests) + more, lane.bytes + more_bytes
        return max(count / self.per_lane, size / self._bytes_of(self.per_lane))

    def _bytes_of(self, requests: int) -> float:
        """Return the bytes that belong to so many places in the queue."""
        return min(1.0, requests / self.requests) * self.bytes

    def lane_to_displace(self, lanes: Collection[Lane], lane: Lane, more_bytes: int = 0) -> Lane | None:
        """Return the lane that loses its newest request so that one more of ``lane`` fits; None if it fits anyway.

        That is the fullest lane, if it is fuller than ``lane`` would be: a camera with several waiting requests loses
        one to a camera with none. Raises QueueFull if there is no such lane.
        """
        full = self._full(lanes, more_bytes)
        if not full:
            return None
        fullest = max(lanes, key=self.fullness)
        if self.fullness(fullest) <= self.fullness(lane, 1, more_bytes):
            raise QueueFull(full)
        return fullest

    def displace_requests(self, lanes: Collection[Lane], lane: Lane, more_bytes: int) -> list[Job]:
        """Remove and return requests until one more request of ``lane`` fits.

        Raises QueueFull, and removes none, if the new request cannot fit.
        """
        taken: list[tuple[Lane, Job]] = []
        try:
            while (fullest := self.lane_to_displace(lanes, lane, more_bytes)) is not None:
                taken.append((fullest, fullest.remove_newest_request()))
        except QueueFull:
            for other, job in reversed(taken):
                other.add_request(job)
            raise
        return [job for _, job in taken]

    def drop_frames(self, lanes: Collection[Lane]) -> list[Job]:
        """Remove and return the largest waiting live frames, and the newest of equal ones, until the others fit."""
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
        """Return the limit that one more request would exceed, as a message; empty if it exceeds no limit."""
        if sum(len(lane.requests) for lane in lanes) >= self.requests:
            return f"the queue is full ({self.requests} waiting)"
        size = sum(lane.bytes for lane in lanes)
        if size and size + more_bytes > self.bytes:
            return f"the queue is full ({size} bytes waiting, workers.queue_bytes)"
        return ""
