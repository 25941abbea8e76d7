"""The record of a run beyond requests and answers: names that were published, moves of cameras, and leaders."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Naming:
    """A message that names people of the load. ``sent``: the time at which its picture was sent, None if not known."""

    at: float
    topic: str
    tokens: frozenset[str]
    sent: float | None = None


@dataclass(slots=True)
class Move:
    """A camera whose owner was killed. ``moved``: the seconds until another picture of the camera was answered."""

    camera: str
    killed: float
    moved: float | None = None


def waited_for_store(move: Move, outages: Iterable[tuple[float, float]]) -> bool:
    """Return whether PostgreSQL was away for a part of a move. Nobody can take over a camera without it."""
    end = math.inf if move.moved is None else move.killed + move.moved
    return any(begin < end and move.killed < back for begin, back in outages)


@dataclass(frozen=True, slots=True)
class LeaderNews:
    """A message of a replica that it leads, or that it does not."""

    replica: str
    at: float
    leads: bool


@dataclass
class Record:
    """The observations of live cameras and listeners. Safe to use from any thread."""

    namings: list[Naming] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    leaders: list[LeaderNews] = field(default_factory=list)
    frames: int = 0
    results: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record_naming(self, naming: Naming) -> None:
        with self._lock:
            self.namings.append(naming)

    def record_leader(self, news: LeaderNews) -> None:
        with self._lock:
            self.leaders.append(news)

    def record_frame(self) -> None:
        with self._lock:
            self.frames += 1

    def expect_moves(self, cameras: frozenset[str], killed: float) -> None:
        """Record that the owner of these cameras was killed. A camera that waits already goes on waiting."""
        with self._lock:
            waiting = {each.camera for each in self.moves if each.moved is None}
            self.moves += [Move(camera, killed) for camera in sorted(cameras - waiting)]

    def has_waiting_camera(self) -> bool:
        """Return whether no picture of some camera was answered since its owner was killed."""
        with self._lock:
            return any(each.moved is None for each in self.moves)

    def record_result(self, camera: str, sent: float | None, at: float) -> None:
        """Record the answer to a live frame, which may end the wait of its camera."""
        with self._lock:
            self.results += 1
            for move in self.moves:
                # The old owner cannot have answered a frame that was sent after it was killed.
                if move.camera == camera and move.moved is None and sent is not None and sent > move.killed:
                    move.moved = at - move.killed
