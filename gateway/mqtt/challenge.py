"""The question of one gateway to another, "are you running?", and its answer.

A canary alone proves nothing: anybody can publish one, or publish an old one again. So a gateway that sees another's
canary publishes a challenge on its own canary topic: a random number. Only a gateway that runs at that moment answers
with the same number.

This protects against stray, retained, replayed and single forged messages. It does not protect against a program that
reads and publishes on every topic of an open broker: such a program can imitate a whole gateway, answers included.
Only logins and an ACL on the broker protect against that (docs/mqtt.md).
"""

from __future__ import annotations

import re
import secrets
import time
from collections import deque
from typing import NamedTuple

_CHALLENGE = re.compile(rb"challenge ([0-9a-f]{16})")
_ANSWER = re.compile(rb"answer ([0-9a-f]{16}) ([0-9]{1,18})")


class Challenge(NamedTuple):
    nonce: bytes

    def write(self) -> bytes:
        return b"challenge %b" % self


class Answer(NamedTuple):
    """``up_ms``: milliseconds for which the gateway that answers has been serving."""

    nonce: bytes
    up_ms: int

    def write(self) -> bytes:
        return b"answer %b %d" % self


def new_challenge() -> Challenge:
    return Challenge(secrets.token_hex(8).encode())


def read_challenge(payload: bytes) -> Challenge | None:
    """Return None for any other message: anybody may publish there."""
    found = _CHALLENGE.fullmatch(payload)
    return Challenge(found[1]) if found else None


def read_answer(payload: bytes) -> Answer | None:
    """Return None for any other message."""
    found = _ANSWER.fullmatch(payload)
    return Answer(found[1], int(found[2])) if found else None


class RateLimit:
    """At most ``most`` events within ``seconds``."""

    def __init__(self, most: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=most)

    def allows(self) -> bool:
        """Return whether one more may happen now, and count it if so."""
        now = time.monotonic()
        if len(self._times) == self._times.maxlen and now < self._times[0] + self._seconds:
            return False
        self._times.append(now)
        return True
