"""The crash guard: a picture that crashed or blocked a worker process twice is refused for an hour."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import BadImage, GatewayError, Timeout

MAX_STRIKES = 2
"""Crashes, or timeouts, after which a picture is refused.

The first one may have another cause: no memory left, a busy machine, or a process that somebody killed.
"""

MAX_REMEMBERED_PICTURES = 1000

STRIKE_LIFETIME_S = 3600.0
"""Time after which a picture may be analysed again. It may be a good picture that met a busy machine."""


class TemporarilyRefused(BadImage):
    """The picture is refused for a limited time only: it may be a good picture that met a busy machine."""

    temporary = True


@dataclass(slots=True)
class _Strikes:
    crashes: int = 0
    timeouts: int = 0
    last: float = 0.0


class CrashGuard:
    """The crashes and timeouts of each picture, in memory. Safe to use from any thread.

    Pictures are identified by their SHA-256 and are not stored. ``limit_s``: the time limit of a picture, for the error
    message. ``clock``: a function like ``time.monotonic``.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._lock = threading.Lock()
        # In the order of the last crash or timeout.
        self._strikes: OrderedDict[bytes, _Strikes] = OrderedDict()

    def record_crash(self, picture: bytes) -> None:
        """Record that a worker process crashed while it analysed the picture."""
        with self._lock:
            self._add_strike(picture).crashes += 1

    def record_timeout(self, picture: bytes) -> None:
        """Record that a worker process was ended because the picture took too long."""
        with self._lock:
            self._add_strike(picture).timeouts += 1

    def check(self, pictures: Sequence[bytes]) -> None:
        """Raise TemporarilyRefused for a picture with MAX_STRIKES crashes or MAX_STRIKES timeouts."""
        # In the usual case no picture has to be hashed.
        if not self._strikes:
            return
        for picture in pictures:
            with self._lock:
                self._forget_old()
                known = self._strikes.get(_digest(picture), _Strikes())
            if known.crashes >= MAX_STRIKES:
                raise TemporarilyRefused(
                    f"{known.crashes} worker processes crashed on this picture: the same picture is refused for an hour"
                )
            if known.timeouts >= MAX_STRIKES:
                raise TemporarilyRefused(
                    f"this picture took longer than {self._limit_s:g} s (workers.picture_s) {known.timeouts} times: the"
                    " same picture is refused for an hour; send a smaller one"
                )

    @contextmanager
    def watching(self, picture: bytes, has_crashed: Callable[[], bool]) -> Iterator[None]:
        """Record the picture if the work on it fails: by a timeout, a crash, or an invalid answer."""
        try:
            yield
        except Timeout:
            self.record_timeout(picture)
            raise
        except GatewayError:
            if has_crashed():
                self.record_crash(picture)
            raise
        # The picture may have taken over the process that sent an invalid answer.
        except Exception:
            self.record_crash(picture)
            raise

    def _add_strike(self, picture: bytes) -> _Strikes:
        digest = _digest(picture)
        strikes = self._strikes.setdefault(digest, _Strikes())
        strikes.last = self._clock()
        self._strikes.move_to_end(digest)
        while len(self._strikes) > MAX_REMEMBERED_PICTURES:
            self._strikes.popitem(last=False)
        return strikes

    def _forget_old(self) -> None:
        while self._strikes and next(iter(self._strikes.values())).last + STRIKE_LIFETIME_S < self._clock():
            self._strikes.popitem(last=False)


def _digest(picture: bytes) -> bytes:
    return hashlib.sha256(picture).digest()
