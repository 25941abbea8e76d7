"""The search for another gateway on the same base: before this gateway serves, and for as long as it runs."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.errors import GatewayError
from gateway.mqtt.bridge.challenge import Answer, Challenge, Claim, read_answer, read_challenge, read_claim
from gateway.mqtt.bridge.own_challenge import OwnChallenge
from gateway.mqtt.bridge.rate_limit import RateLimit, RateLimitByName
from gateway.mqtt.bridge.search_state import TRANSITIONS, SearchEvent, SearchState
from gateway.mqtt.bridge.search_warnings import SearchWarnings
from gateway.mqtt.bridge.seen_status import SeenStatus
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.loopback import LOOPBACK_INTERVAL_S, Loopback, read_loopback
from gateway.mqtt.transport.packets import Publication, Received
from gateway.mqtt.transport.reconnector import NotYet

log = logging.getLogger(__name__)

# Before the own challenge is back, silence proves nothing: the broker may stand still.
LOOPBACK_WAIT_S = 0.5
LOOPBACK_TRIES = 10

# When the own challenge is back, other gateways have received it too, and they answer immediately.
ANSWER_WAIT_S = 0.5

CHALLENGE_INTERVAL_S = 1.0

# Anybody may publish challenges under any name. A gateway publishes two or three a second.
MAX_ANSWERS_PER_S = 5
"""Answers to one instance."""
MAX_INSTANCES_PER_S = 100
"""Instances that get answers."""

# Messages may be late, and the other gateway seems younger by that time. Without a tie both could be displaced.
AGE_TIE_MS = 1000
"""The difference between the ages of two gateways up to which their names decide."""

_INSTANCE = re.compile(r"[0-9a-f]{12}")


class SearchSession(Protocol):
    """The MQTT session of a search. After the session ended, ``connected`` stays false."""

    connected: bool

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None: ...

    def unsubscribe(self, topics: Sequence[str]) -> None: ...


class DuplicateDetector:
    """The states of search_state.py, and the messages between gateways of challenge.py.

    Of two gateways that serve, the gateway that began first stays. Of two gateways that search at the same time, the
    gateway with the lower instance name serves.

    ``loopback_filter``: the topics of the loopback messages of all gateways. ``receive`` gets the messages on these and
    on ``bridge/state`` and ``bridge/info``, to which ``search`` subscribes. ``publish`` must use the connection that
    has subscribed. ``on_displaced`` gets the error with which this gateway ends.
    """

    def __init__(
        self,
        topics: Topics,
        instance: str,
        loopback: Loopback,
        publish: Callable[[Publication], None],
        on_displaced: Callable[[GatewayError], None],
    ) -> None:
        self.loopback_filter = f"{topics.loopbacks}+"
        self._topics = topics
        self._instance = instance
        self._loopback = loopback
        self._publish = publish
        self._on_displaced = on_displaced
        self._seen = SeenStatus(topics)
        self._warnings = SearchWarnings(topics.loopback(instance), topics.loopbacks)
        self._own = OwnChallenge()
        self._challenges = RateLimit(1, CHALLENGE_INTERVAL_S)
        self._answers = RateLimitByName(MAX_ANSWERS_PER_S, MAX_INSTANCES_PER_S)
        self._stopping = False
        # The lock guards the fields below. ``search`` runs on another thread than ``receive``.
        self._lock = threading.Lock()
        self._state = SearchState.SEARCHING
        self._claimed_by = ""
        self._unanswered: Challenge | None = None
        self._conflict = False

    @property
    def exclusive(self) -> bool:
        """True if a search found no other gateway. Only then may this gateway serve."""
        return self._state is not SearchState.SEARCHING

    @property
    def displaced(self) -> bool:
        """True if this gateway has to end, because another gateway served first."""
        return self._state is SearchState.DISPLACED

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings.warnings

    def take_conflict(self) -> bool:
        """Return whether a younger gateway was found since the last call: it has overwritten the retained status."""
        with self._lock:
            conflict, self._conflict = self._conflict, False
        return conflict

    def stop(self) -> None:
        """End a search that is running."""
        self._stopping = True
        self._own.release()

    def receive(self, received: Received) -> None:
        """React to a message of another gateway, or take the own challenge that came back."""
        if not received.topic.startswith(self._topics.loopbacks):
            self._seen.receive(received)
            return
        instance = received.topic.removeprefix(self._topics.loopbacks)
        if received.retained or not _INSTANCE.fullmatch(instance):
            return
        if instance == self._instance:
            self._own.receive(received.payload)
        elif challenge := read_challenge(received.payload):
            if self._answers.allows(instance):
                self._reply(instance, challenge)
        elif answer := read_answer(received.payload):
            self._take_answer(instance, answer)
        elif claim := read_claim(received.payload):
            self._take_claim(instance, claim)
        elif read_loopback(received.payload):
            self._challenge_others()

    def search(self, session: SearchSession) -> None:
        """Search once, for about a second, or for 15 s if the retained status is that of another gateway.

        Raises AnotherGateway if another gateway serves, and NotYet if the search has no result.
        """
        self._seen.clear()
        self._claimed_by, self._unanswered = "", None
        self._own.reset()
        # This check comes after the reset: otherwise a stop between the two would be missed.
        if self._stopping:
            raise NotYet
        session.subscribe([(topic, 0) for topic in self._seen.topics], retained=True)
        self._own.renew()
        heard = self._hears_itself()
        answered = heard and self._is_answered()
        session.unsubscribe(self._seen.topics)
        if self._stopping or not session.connected:
            self._apply(SearchEvent.INTERRUPTED)
            raise NotYet
        self._warnings.record_search(heard=heard, claimed_by=self._claimed_by)
        self._finish_search(heard, answered)

    def _finish_search(self, heard: bool, answered: bool) -> None:
        with self._lock:
            event = self._result(heard, answered)
            self._apply(event)
        if event is SearchEvent.ANSWERED:
            raise self._seen.another_gateway_error(self._own.answered_by)
        if event is not SearchEvent.SILENT:
            raise NotYet
        if self._unanswered:
            # This challenge came too late for a claim. The other gateway would hear nothing, and serve too.
            self._send(Answer(self._unanswered.nonce, self._loopback.up_ms))

    def _result(self, heard: bool, answered: bool) -> SearchEvent:
        if not heard:
            return SearchEvent.UNHEARD
        if answered:
            return SearchEvent.ANSWERED
        return SearchEvent.CLAIMED if self._claimed_by else SearchEvent.SILENT

    def _apply(self, event: SearchEvent) -> None:
        self._state = TRANSITIONS[self._state][event]

    def _hears_itself(self) -> bool:
        # The challenge is sent several times: the first one may overtake the subscription of a new session.
        for _ in range(LOOPBACK_TRIES):
            self._send(self._own.message)
            if self._own.wait_for_return(LOOPBACK_WAIT_S):
                return True
        return False

    def _is_answered(self) -> bool:
        if self._own.wait_for_answer(ANSWER_WAIT_S):
            return True
        # The other gateway may be busy, or about to connect again. Its next loopback message is challenged again.
        online = self._seen.is_another_online(self._instance)
        return online and self._own.wait_for_answer(1.5 * LOOPBACK_INTERVAL_S)

    def _challenge_others(self) -> None:
        if self._challenges.allows():
            self._own.renew()
            self._send(self._own.message)

    def _reply(self, instance: str, challenge: Challenge) -> None:
        lower = self._instance < instance
        with self._lock:
            exclusive = self.exclusive
            if not exclusive and not lower:
                self._unanswered = challenge
        if exclusive:
            self._send(Answer(challenge.nonce, self._loopback.up_ms))
            self._challenge_others()
        elif lower:
            self._send(Claim(challenge.nonce))
        else:
            # The other gateway may have begun its search after this challenge was published. Its claim is needed.
            self._send(self._own.message)

    def _take_claim(self, instance: str, claim: Claim) -> None:
        with self._lock:
            if not self.exclusive and instance < self._instance and self._own.has_nonce(claim.nonce):
                self._claimed_by = instance

    def _take_answer(self, instance: str, answer: Answer) -> None:
        if not self._own.has_nonce(answer.nonce):
            return
        self._own.record_answer(instance)
        event = self._compare_age(instance, answer.up_ms - self._loopback.up_ms)
        with self._lock:
            if event not in TRANSITIONS[self._state]:
                return
            self._apply(event)
            self._conflict |= event is SearchEvent.YOUNGER_FOUND
        if event is SearchEvent.OLDER_FOUND:
            self._on_displaced(self._seen.another_gateway_error(instance))
        else:
            log.warning("%s This gateway served first, and goes on.", self._seen.another_gateway_error(instance))

    def _compare_age(self, instance: str, ahead_ms: int) -> SearchEvent:
        # Both gateways come to opposite results, so that exactly one of them ends.
        served_first = ahead_ms > AGE_TIE_MS or (ahead_ms >= -AGE_TIE_MS and instance < self._instance)
        return SearchEvent.OLDER_FOUND if served_first else SearchEvent.YOUNGER_FOUND

    def _send(self, message: Challenge | Answer | Claim) -> None:
        self._publish(Publication(self._topics.loopback(self._instance), message.write(), qos=0))
