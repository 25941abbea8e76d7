"""The challenge that this gateway publishes to find others."""

from __future__ import annotations

import threading
import time

from gateway.mqtt.bridge.challenge import new_challenge, read_challenge

# Longer than the longest search, which waits for 1.5 loopback intervals while another gateway seems to be online.
CHALLENGE_VALID_S = 20.0


class OwnChallenge:
    """The present challenge, whether the broker has sent it back, and which gateway has answered it."""

    def __init__(self) -> None:
        self._returned = threading.Event()
        self._answered = threading.Event()
        self.answered_by = ""
        self.renew()

    def renew(self) -> None:
        """Take a new number. Answers to the old number do not count any more."""
        self.message = new_challenge()
        self._created_at = time.monotonic()

    def reset(self) -> None:
        """Forget all answers, and that the challenge came back, before a search."""
        self._returned.clear()
        self._answered.clear()

    def release(self) -> None:
        """End all waiting, since the gateway stops."""
        self._returned.set()
        self._answered.set()

    def receive(self, payload: bytes) -> None:
        """Take a message on the gateway's own topic."""
        if read_challenge(payload) == self.message:
            self._returned.set()

    def record_answer(self, instance: str) -> None:
        self.answered_by = instance
        self._answered.set()

    def has_nonce(self, nonce: bytes) -> bool:
        """Return whether the number is the present one, which only a running gateway knows."""
        return nonce == self.message.nonce and time.monotonic() < self._created_at + CHALLENGE_VALID_S

    def wait_for_return(self, seconds: float) -> bool:
        return self._returned.wait(seconds)

    def wait_for_answer(self, seconds: float) -> bool:
        return self._answered.wait(seconds)
