"""The messages between gateways on ``bridge/canary``: the question "are you running?" and its answers.

A loopback message proves nothing: anybody can publish one, or publish an old one again. So a gateway that sees another
gateway's loopback message publishes a challenge on its own loopback topic: a random number. Only a gateway that runs
at that moment answers with the same number. A gateway that does not serve yet answers with a claim, which means that it
is about to serve. When nobody answers, a gateway publishes that it begins to serve. Of several gateways the one whose
message the broker delivers first serves, however busy the machine is.

This protects against stray, retained, replayed and forged messages, however many somebody publishes. It does not
protect against a program that reads and publishes on every topic of an open broker: such a program can imitate a whole
gateway, answers included. Only logins and an ACL on the broker protect against that (docs/how-to/logins-and-tls.md).
"""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

_CHALLENGE = re.compile(rb"challenge ([0-9a-f]{16})")
_ANSWER = re.compile(rb"answer ([0-9a-f]{16}) ([0-9]{1,18})")
_CLAIM = re.compile(rb"claim ([0-9a-f]{16})")
_SERVE = re.compile(rb"serve ([0-9a-f]{16})")


class Challenge(NamedTuple):
    """The question of a gateway to all others. ``nonce``: its random number, 16 hexadecimal digits."""

    nonce: bytes

    def write(self) -> bytes:
        return b"challenge %b" % self


class Answer(NamedTuple):
    """The answer of a gateway that serves to a challenge.

    ``nonce``: the number of the challenge. ``up_ms``: milliseconds since the gateway sent its first loopback message.
    """

    nonce: bytes
    up_ms: int

    def write(self) -> bytes:
        return b"answer %b %d" % self


class Claim(NamedTuple):
    """The answer of a gateway that is searching too, and will serve before the gateway that sent the challenge."""

    nonce: bytes

    def write(self) -> bytes:
        return b"claim %b" % self


class Serve(NamedTuple):
    """The last message of a search: a gateway begins to serve. ``nonce``: the number of its challenge."""

    nonce: bytes

    def write(self) -> bytes:
        return b"serve %b" % self


def new_challenge() -> Challenge:
    return Challenge(secrets.token_hex(8).encode())


def read_challenge(payload: bytes) -> Challenge | None:
    """Return the challenge, or None for any other message: anybody may publish on the topic."""
    found = _CHALLENGE.fullmatch(payload)
    return Challenge(found[1]) if found else None


def read_answer(payload: bytes) -> Answer | None:
    """Return the answer, or None for any other message."""
    found = _ANSWER.fullmatch(payload)
    return Answer(found[1], int(found[2])) if found else None


def read_claim(payload: bytes) -> Claim | None:
    """Return the claim, or None for any other message."""
    found = _CLAIM.fullmatch(payload)
    return Claim(found[1]) if found else None


def read_serve(payload: bytes) -> Serve | None:
    """Return the message that a gateway begins to serve, or None for any other message."""
    found = _SERVE.fullmatch(payload)
    return Serve(found[1]) if found else None
