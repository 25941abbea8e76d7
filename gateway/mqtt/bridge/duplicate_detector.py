"""The search for another gateway on the same base: before this gateway serves, and for as long as it runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from gateway.errors import GatewayError
from gateway.mqtt.bridge.challenge import (
    Answer,
    Challenge,
    Claim,
    Serve,
    read_answer,
    read_challenge,
    read_claim,
    read_serve,
)
from gateway.mqtt.bridge.own_challenge import OwnChallenge
from gateway.mqtt.bridge.rate_limit import MAX_ANSWERS_PER_S, MAX_INSTANCES_PER_S, RateLimit, RateLimitByName
from gateway.mqtt.bridge.search_progress import SearchProgress
from gateway.mqtt.bridge.search_session import SearchSession
from gateway.mqtt.bridge.search_state import SearchEvent
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
ROUND_TRIPS = 5
"""The wait for an answer in times that the own challenge took, if that is longer: on a busy machine all are slow."""

# Anybody may forge the messages of such a gateway. So the wait ends even without an answer.
RIVAL_WAIT_S = 5.0
"""The wait for the answer of a gateway that was about to serve at the end of the search before this one."""

CHALLENGE_INTERVAL_S = 1.0

# Messages may be late, and the other gateway seems younger by that time. Without a tie both could be displaced.
AGE_TIE_MS = 1000
"""The difference between the ages of two gateways up to which their names decide."""

_INSTANCE = re.compile(r"[0-9a-f]{12}")


class DuplicateDetector:
    """The states of search_state.py, and the messages between gateways of challenge.py.

    Of two gateways that serve, the gateway that began first stays. Of two gateways that search at the same time, the
    gateway with the lower instance name serves, or the one whose message that it serves reaches the broker first.

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
        self._progress = SearchProgress(self._own)
        self._challenges = RateLimit(1, CHALLENGE_INTERVAL_S)
        self._answers = RateLimitByName(MAX_ANSWERS_PER_S, MAX_INSTANCES_PER_S)
        self._stopping = False

    @property
    def exclusive(self) -> bool:
        """True if a search found no other gateway. Only then may this gateway serve."""
        return self._progress.exclusive

    @property
    def displaced(self) -> bool:
        """True if this gateway has to end, because another gateway served first."""
        return self._progress.displaced

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings.warnings

    def take_conflict(self) -> bool:
        """Return whether a younger gateway was found since the last call: it has overwritten the retained status."""
        return self._progress.take_conflict()

    def stop(self) -> None:
        """End a search that is running."""
        self._stopping = True
        self._own.release()

    def receive(self, received: Received) -> None:
        """React to a message of another gateway, or take an own message that came back."""
        if not received.topic.startswith(self._topics.loopbacks):
            self._seen.receive(received)
            return
        instance = received.topic.removeprefix(self._topics.loopbacks)
        if received.retained or not _INSTANCE.fullmatch(instance):
            return
        if instance == self._instance:
            self._take_own(received.payload)
        elif challenge := read_challenge(received.payload):
            if self._answers.allows(instance):
                self._reply(instance, challenge)
        elif serve := read_serve(received.payload):
            self._take_serve(instance, serve)
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
        self._progress.reset()
        self._own.reset()
        # This check comes after the reset: otherwise a stop between the two would be missed.
        if self._stopping:
            raise NotYet
        session.subscribe([(topic, 0) for topic in self._seen.topics], retained=True)
        self._own.renew()
        heard = self._hears_itself()
        if heard and not self._is_answered() and not self._progress.claimed_by:
            heard = self._begin_to_serve()
        session.unsubscribe(self._seen.topics)
        if self._stopping or not (session.connected or self.exclusive):
            self._progress.finish(SearchEvent.INTERRUPTED)
            raise NotYet
        self._warnings.record_search(heard=heard, claimed_by=self._progress.claimed_by)
        self._finish_search(heard)

    def _finish_search(self, heard: bool) -> None:
        event = self._progress.finish(None if heard else SearchEvent.UNHEARD)
        if event is SearchEvent.ANSWERED:
            raise self._seen.another_gateway_error(self._own.answered_by)
        if event is not SearchEvent.SILENT:
            raise NotYet
        self._answer_late_challenge()

    def _hears_itself(self) -> bool:
        # The challenge is sent several times: the first one may overtake the subscription of a new session.
        for _ in range(LOOPBACK_TRIES):
            self._own.note_sent()
            self._send(self._own.message)
            if self._own.wait_for_return(LOOPBACK_WAIT_S):
                return True
        return False

    def _is_answered(self) -> bool:
        usual = max(ANSWER_WAIT_S, ROUND_TRIPS * self._own.round_trip_s)
        if self._own.wait_for_answer(RIVAL_WAIT_S if self._progress.gave_way else usual):
            return True
        # The other gateway may be busy, or about to connect again. Its next loopback message is challenged again.
        online = self._seen.is_another_online(self._instance)
        return online and self._own.wait_for_answer(1.5 * LOOPBACK_INTERVAL_S)

    def _begin_to_serve(self) -> bool:
        """Publish that this gateway begins to serve. Return whether the message came back."""
        # Each gateway listens before it publishes this. So of two gateways the second one sees the message of the first
        # before its own comes back, however slow the gateways and the network are.
        self._send(self._own.begin_to_serve())
        return self._own.wait_for_serve_return(LOOPBACK_TRIES * LOOPBACK_WAIT_S)

    def _take_own(self, payload: bytes) -> None:
        if self._own.is_serve_message(payload):
            # From this moment on the gateway answers every message of another one.
            if self._progress.begin_to_serve():
                self._answer_late_challenge()
            self._own.record_serve_return()
        elif claim := read_claim(payload):
            self._progress.record_own_claim(claim.nonce)
        else:
            self._own.receive(payload)

    def _answer_late_challenge(self) -> None:
        # This challenge came too late for a claim. The other gateway would hear nothing, and serve too.
        if challenge := self._progress.take_unanswered():
            self._send(Answer(challenge.nonce, self._loopback.up_ms))

    def _challenge_others(self) -> None:
        if self._challenges.allows():
            # During a search the claims and answers of others are about the present number.
            if self.exclusive:
                self._own.renew()
            self._send(self._own.message)

    def _reply(self, instance: str, challenge: Challenge) -> None:
        lower = self._instance < instance
        if self._progress.record_challenge(challenge, lower=lower):
            self._send(Answer(challenge.nonce, self._loopback.up_ms))
            self._challenge_others()
        elif lower:
            self._send(Claim(challenge.nonce))
        else:
            # The other gateway may have begun its search after this challenge was published. Its claim is needed.
            self._send(self._own.message)

    def _take_serve(self, instance: str, serve: Serve) -> None:
        if self._progress.record_serve(instance, serve.nonce) and self._answers.allows(instance):
            self._send(Answer(serve.nonce, self._loopback.up_ms))
            self._challenge_others()

    def _take_claim(self, instance: str, claim: Claim) -> None:
        if instance < self._instance and self._own.has_nonce(claim.nonce):
            self._progress.record_claim(instance)

    def _take_answer(self, instance: str, answer: Answer) -> None:
        if not self._own.has_nonce(answer.nonce):
            return
        self._own.record_answer(instance)
        event = self._compare_age(instance, answer.up_ms - self._loopback.up_ms)
        if not self._progress.record_other(event):
            return
        if event is SearchEvent.OLDER_FOUND:
            self._on_displaced(self._seen.another_gateway_error(instance))
        else:
            log.warning("%s This gateway served first, and goes on.", self._seen.another_gateway_error(instance))

    def _compare_age(self, instance: str, ahead_ms: int) -> SearchEvent:
        # Both gateways come to opposite results, so that exactly one of them ends.
        served_first = ahead_ms > AGE_TIE_MS or (ahead_ms >= -AGE_TIE_MS and instance < self._instance)
        return SearchEvent.OLDER_FOUND if served_first else SearchEvent.YOUNGER_FOUND

    def _send(self, message: Challenge | Answer | Claim | Serve) -> None:
        self._publish(Publication(self._topics.loopback(self._instance), message.write(), qos=0))
