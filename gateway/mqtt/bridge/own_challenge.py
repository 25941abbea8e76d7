"""The challenge that this gateway publishes to find others."""

from __future__ import annotations

import threading
import time

from gateway.mqtt.bridge.challenge import Serve, new_challenge, read_challenge, read_serve

# Longer than the longest search: twice the 5 s for an own message, and 1.5 loopback intervals while another gateway
# seems to be online.
CHALLENGE_VALID_S = 30.0


class OwnChallenge:
    """The present challenge, whether the broker has sent it back, and which gateway has answered it."""

    def __init__(self) -> None:
        self._returned = threading.Event()
        self._answered = threading.Event()
        self._reacted = threading.Event()
        self._serve: Serve | None = None
        self._serve_returned = threading.Event()
        self._sent_at = self._returned_at = 0.0
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
        self._reacted.clear()
        self._serve = None
        self._serve_returned.clear()

    def release(self) -> None:
        """End all waiting, since the gateway stops."""
        self._returned.set()
        self._answered.set()
        self._reacted.set()
        self._serve_returned.set()

    def note_sent(self) -> None:
        """Note that the challenge is sent now."""
        self._sent_at = time.monotonic()

    @property
    def round_trip_s(self) -> float:
        """The time that the challenge took to the broker and back."""
        return max(0.0, self._returned_at - self._sent_at)

    @property
    def answered(self) -> bool:
        return self._answered.is_set()

    def receive(self, payload: bytes) -> None:
        """Take a message on the gateway's own topic."""
        if read_challenge(payload) == self.message and not self._returned.is_set():
            self._returned_at = time.monotonic()
            self._returned.set()

    def begin_to_serve(self) -> Serve:
        """Return the message that this gateway begins to serve."""
        self._serve = Serve(self.message.nonce)
        return self._serve

    def is_serve_message(self, payload: bytes) -> bool:
        """Return whether this is the message of this search that the gateway begins to serve."""
        return self._serve is not None and read_serve(payload) == self._serve

    def record_serve_return(self) -> None:
        self._serve_returned.set()

    def record_answer(self, instance: str) -> None:
        self.answered_by = instance
        self._answered.set()
        self._reacted.set()

    def record_claim(self) -> None:
        """End the wait for an answer: a gateway that is about to serve answers the challenge of the next search."""
        self._reacted.set()

    def has_nonce(self, nonce: bytes) -> bool:
        """Return whether the number is the present one, which only a running gateway knows."""
        return nonce == self.message.nonce and time.monotonic() < self._created_at + CHALLENGE_VALID_S

    def wait_for_return(self, seconds: float) -> bool:
        return self._returned.wait(seconds)

    def wait_for_serve_return(self, seconds: float) -> bool:
        return self._serve_returned.wait(seconds)

    def wait_for_answer(self, seconds: float) -> bool:
        self._reacted.wait(seconds)
        return self.answered
