"""The people whom the load enrols, renames, removes and erases, and the pictures that show them."""

from __future__ import annotations

import random
import re
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from benchmarks.faults.load import SINGLE_FACE_FRAMES, with_comment
from device_sim.named_pictures import name_faces
from device_sim.pictures import FRAMES

MAX_PEOPLE = 25
"""People beyond whom the load removes somebody before it enrols anybody."""
REMEMBERED_GONE_PEOPLE = 20
"""Removed people whom pictures still show: nobody may name them."""
KNOWN_SHARE, GONE_SHARE = 0.5, 0.35
"""Shares of the pictures with an enrolled and with a removed person. The others show strangers."""

_TOKEN = re.compile(r"bench_([0-9a-f]{16})")


def tokens_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the tokens of the load's people that texts name, by their ids ``bench_<token>``."""
    return frozenset(token for text in texts for token in _TOKEN.findall(text))


class People:
    """The people of the load. Safe to use from any thread."""

    def __init__(self, rng: random.Random, frames: Path = FRAMES) -> None:
        self._rng = rng
        self._frames = [(frames / name).read_bytes() for name in SINGLE_FACE_FRAMES]
        self._lock = threading.Lock()
        self._known: list[str] = []
        self._gone: deque[str] = deque(maxlen=REMEMBERED_GONE_PEOPLE)

    def new_token(self) -> str:
        with self._lock:
            return f"{self._rng.getrandbits(64):016x}"

    def add(self, token: str) -> None:
        """Record that a person is enrolled, so that others may change or show this person."""
        with self._lock:
            self._known.append(token)

    def take_oldest(self) -> str | None:
        """Return the person who was enrolled first, and whom nobody else may change now; None if there are too few."""
        with self._lock:
            return self._known.pop(0) if len(self._known) > MAX_PEOPLE // 2 else None

    def record_removal(self, token: str) -> None:
        with self._lock:
            self._gone.append(token)

    @property
    def is_full(self) -> bool:
        with self._lock:
            return len(self._known) >= MAX_PEOPLE

    def choose(self, share: float) -> bool:
        """Return true with this probability."""
        with self._lock:
            return self._rng.random() < share

    def choose_shown(self) -> str:
        """Return the token of the person whom a new picture shows."""
        stranger = self.new_token()
        with self._lock:
            draw = self._rng.random()
            people = self._known if draw < KNOWN_SHARE else self._gone if draw < KNOWN_SHARE + GONE_SHARE else []
            return self._rng.choice(people) if people else stranger

    def picture_of(self, token: str, comment: str) -> bytes:
        """Return a picture that shows a person. ``comment``: makes its bytes differ from those of other pictures."""
        with self._lock:
            frame = self._rng.choice(self._frames)
        return with_comment(name_faces(frame, [token]), comment)
