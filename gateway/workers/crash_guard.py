"""A memory of the pictures that cost worker processes, by which the same picture is refused the third time."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import BadImage

MAX_STRIKES = 2
"""The first may have been bad luck: no memory left, a machine that was busy, a process killed by somebody."""

MAX_PICTURES = 1000

FORGET_S = 3600.0
"""After which a picture has another try: a good picture that met a machine without time is not refused for ever."""


class RefusedForNow(BadImage):
    """The picture is not analysed now. It may be a good one that met a busy machine, so it is not judged for ever."""

    temporary = True


@dataclass(slots=True)
class _Strikes:
    crashes: int = 0
    timeouts: int = 0
    last: float = 0.0


class CrashGuard:
    """Safe to use from any thread. In memory, and by SHA-256: the pictures themselves are not stored.

    ``limit_s``: how long a picture may take; only for the message. ``clock``: as ``time.monotonic``.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._lock = threading.Lock()
        self._strikes: OrderedDict[bytes, _Strikes] = OrderedDict()  # the latest last

    def record_crash(self, picture: bytes) -> None:
        """A worker process crashed while it analysed the picture."""
        with self._lock:
            self._strike(picture).crashes += 1

    def record_timeout(self, picture: bytes) -> None:
        """A worker process was ended because the picture took too long."""
        with self._lock:
            self._strike(picture).timeouts += 1

    def check(self, pictures: Sequence[bytes]) -> None:
        """Raises RefusedForNow for a picture that cost MAX_STRIKES processes in the same way."""
        if not self._strikes:  # the usual case: no picture has to be hashed
            return
        for picture in pictures:
            with self._lock:
                self._forget_old()
                known = self._strikes.get(_digest(picture), _Strikes())
            if known.crashes >= MAX_STRIKES:
                raise RefusedForNow(
                    f"{known.crashes} worker processes crashed on this picture: the same picture is refused for an hour"
                )
            if known.timeouts >= MAX_STRIKES:
                raise RefusedForNow(
                    f"this picture took longer than {self._limit_s:g} s (workers.picture_s) {known.timeouts} times: the"
                    " same picture is refused for an hour; send a smaller one"
                )

    def _strike(self, picture: bytes) -> _Strikes:
        digest = _digest(picture)
        strikes = self._strikes.setdefault(digest, _Strikes())
        strikes.last = self._clock()
        self._strikes.move_to_end(digest)
        while len(self._strikes) > MAX_PICTURES:
            self._strikes.popitem(last=False)
        return strikes

    def _forget_old(self) -> None:
        while self._strikes and next(iter(self._strikes.values())).last + FORGET_S < self._clock():
            self._strikes.popitem(last=False)


def _digest(picture: bytes) -> bytes:
    return hashlib.sha256(picture).digest()
