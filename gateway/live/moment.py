"""A moment on two clocks."""

from __future__ import annotations

import time
from typing import NamedTuple

from gateway.model import Request


class Moment(NamedTuple):
    """A moment. ``monotonic``: seconds of ``time.monotonic``; ``timestamp``: seconds since 1970.

    All intervals are measured on the first clock. The second one may jump, and is for people.
    """

    monotonic: float
    timestamp: float


def current_moment() -> Moment:
    """Return the present moment."""
    return Moment(time.monotonic(), time.time())


def moment_of(request: Request) -> Moment:
    """Return the moment in which a request was received."""
    return Moment(request.origin.received, request.origin.timestamp)
