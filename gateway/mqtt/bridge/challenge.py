"""The question of one gateway to another, "are you running?", and its answer.

A canary alone proves nothing: anybody can publish one, or publish an old one again. So a gateway that sees another's
canary publishes a challenge on its own canary topic: a random number. Only a gateway that runs at that moment answers
with the same number. A gateway that does not serve yet answers with a claim, which says that it is about to serve.

This protects against stray, retained, replayed and forged messages, however many somebody publishes. It does not
protect against a program that reads and publishes on every topic of an open broker: such a program can imitate a whole
gateway, answers included. Only logins and an ACL on the broker protect against that (docs/reference/mqtt.md).
"""

from __future__ import annotations

import re
import secrets
import time
from collections import Counter, deque
from typing import NamedTuple

_CHALLENGE = re.compile(rb"challenge ([0-9a-f]{16})")
_ANSWER = re.compile(rb"answer ([0-9a-f]{16}) ([0-9]{1,18})")
_CLAIM = re.compile(rb"claim ([0-9a-f]{16})")


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


class Claim(NamedTuple):
    """The answer of a gateway that is looking for others too, and begins to serve before the one that asked."""

    nonce: bytes

    def write(self) -> bytes:
        return b"claim %b" % self


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


def read_claim(payload: bytes) -> Claim | None:
    """Return None for any other message."""
    found = _CLAIM.fullmatch(payload)
    return Claim(found[1]) if found else None


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


class RateLimitByName:
    """At most ``most`` events of each name, and of ``names`` names, within a second: no name uses up the others'."""

    def __init__(self, most: int, names: int) -> None:
        self._most = most
        self._names = names
        self._counts: Counter[str] = Counter()
        self._ends = 0.0

    def allows(self, name: str) -> bool:
        """Return whether one more of the name may happen now, and count it."""
        now = time.monotonic()
        if now >= self._ends:
            self._counts.clear()
            self._ends = now + 1.0
        if name not in self._counts and len(self._counts) == self._names:
            return False
        self._counts[name] += 1
        return self._counts[name] <= self._most
