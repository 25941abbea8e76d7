"""The state of the search for other gateways, and what the present search has found."""

from __future__ import annotations

import threading
from collections import deque

from gateway.mqtt.bridge.challenge import Challenge
from gateway.mqtt.bridge.own_challenge import OwnChallenge
from gateway.mqtt.bridge.search_state import TRANSITIONS, SearchEvent, SearchState

# Anybody may forge the message that a gateway begins to serve.
MAX_PRECEDED_SEARCHES = 2
"""Searches in a row in which this gateway gives way to such a message without a claim or an answer."""

MAX_CLAIMED_NONCES = 100
"""Challenges of other gateways that are remembered, since this gateway claimed to serve before them."""


class SearchProgress:
    """The state of search_state.py. Safe to use from any thread: a search runs on another one than its messages.

    ``own``: the challenge of this gateway. ``claimed_by``: the instance that is about to serve before this one.
    ``gave_way``: the search before this one ended with such a claim.
    """

    def __init__(self, own: OwnChallenge) -> None:
        self._own = own
        self._lock = threading.Lock()
        self._state = SearchState.SEARCHING
        self._unanswered: Challenge | None = None
        self._conflict = False
        self._preceded = False
        self._preceded_searches = 0
        self._claimed_nonces: deque[bytes] = deque(maxlen=MAX_CLAIMED_NONCES)
        self.claimed_by = ""
        self.gave_way = False

    @property
    def exclusive(self) -> bool:
        return self._state is not SearchState.SEARCHING

    @property
    def displaced(self) -> bool:
        return self._state is SearchState.DISPLACED

    def reset(self) -> None:
        """Forget what was found, before a search."""
        with self._lock:
            self.claimed_by, self._preceded, self._unanswered = "", False, None

    def take_conflict(self) -> bool:
        """Return whether a younger gateway was found since the last call."""
        with self._lock:
            conflict, self._conflict = self._conflict, False
        return conflict

    def take_unanswered(self) -> Challenge | None:
        """Return the challenge of a gateway with a higher name that still has no answer, once."""
        with self._lock:
            challenge, self._unanswered = self._unanswered, None
        return challenge

    def begin_to_serve(self) -> bool:
        """Go to EXCLUSIVE if no other gateway answered, claimed, or came first. Return whether that happened now."""
        with self._lock:
            first = not self.exclusive and self._result() is SearchEvent.SILENT
            if first:
                self.apply(SearchEvent.SILENT)
            return first

    def finish(self, event: SearchEvent | None = None) -> SearchEvent:
        """End a search, unless the gateway serves already. Return the event. None: it depends on what was found."""
        with self._lock:
            if self.exclusive:
                return SearchEvent.SILENT
            event = event or self._result()
            self.gave_way = event is SearchEvent.CLAIMED
            self._preceded_searches = self._preceded_searches + 1 if self.gave_way and self._preceded else 0
            self.apply(event)
            return event

    def record_challenge(self, challenge: Challenge, *, lower: bool) -> bool:
        """Record a challenge. Return whether the gateway serves. ``lower``: the own name is lower than the sender's."""
        with self._lock:
            if not self.exclusive and not lower:
                self._unanswered = challenge
            return self.exclusive

    def record_serve(self, instance: str, nonce: bytes) -> bool:
        """Record that another gateway begins to serve. Return whether this gateway serves."""
        with self._lock:
            # The other gateway has the claim of this one before its own message, and gives way.
            gives_way = nonce in self._claimed_nonces
            if not self.exclusive and not gives_way and self._preceded_searches < MAX_PRECEDED_SEARCHES:
                self._preceded, self.claimed_by = True, instance
                self._own.record_claim()
            return self.exclusive

    def record_own_claim(self, nonce: bytes) -> None:
        """Record that the own claim came back from the broker. ``nonce``: the challenge that it answers."""
        with self._lock:
            self._claimed_nonces.append(nonce)

    def record_claim(self, instance: str) -> None:
        with self._lock:
            if not self.exclusive:
                self._preceded, self.claimed_by = False, instance
                self._own.record_claim()

    def record_other(self, event: SearchEvent) -> bool:
        """Record that an older or a younger gateway serves too. Return False if that has no meaning in this state."""
        with self._lock:
            if event not in TRANSITIONS[self._state]:
                return False
            self.apply(event)
            self._conflict |= event is SearchEvent.YOUNGER_FOUND
            return True

    def apply(self, event: SearchEvent) -> None:
        """Go to the next state. Raises KeyError for an event that the table does not have for the present state."""
        self._state = TRANSITIONS[self._state][event]

    def _result(self) -> SearchEvent:
        if self._own.answered:
            return SearchEvent.ANSWERED
        return SearchEvent.CLAIMED if self.claimed_by else SearchEvent.SILENT
