"""The search for another gateway on the same base: before this one serves, and for as long as it runs."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from gateway.errors import AnotherGateway, GatewayError
from gateway.mqtt.bridge.challenge import (
    Answer,
    Challenge,
    Claim,
    RateLimit,
    RateLimitByName,
    new_challenge,
    read_answer,
    read_challenge,
    read_claim,
)
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.loopback import LOOPBACK_INTERVAL_S, Loopback, read_loopback
from gateway.mqtt.transport.packets import Publication, Received
from gateway.mqtt.transport.reconnector import NotYet

log = logging.getLogger(__name__)

LOOPBACK_WAIT_S = 0.5
LOOPBACK_TRIES = 10
"""For our own challenge to come back from the broker, and how often it is sent. Before that, silence proves nothing."""

ANSWER_WAIT_S = 0.5
"""Without an answer, after our challenge came back. Another gateway has got it by then, and answers immediately."""

CHALLENGE_INTERVAL_S = 1.0
CHALLENGE_VALID_S = 20.0
"""Longer than the longest look: 1.5 canaries, while another gateway is marked as online."""

MAX_ANSWERS_PER_S = 5
"""To the challenges of one instance. A gateway publishes two or three a second."""
MAX_INSTANCES_PER_S = 100
"""Instances that get answers: anybody may publish challenges, under any name."""

MAX_CLAIMED_SEARCHES = 3
"""Looks in a row that end since another gateway is about to serve. One is usual where two start together."""

AGE_TIE_MS = 1000
"""Up to this difference between the ages of two gateways their names decide. Messages may be late, and each gateway
seems younger by that to the other: so never do both go.
"""

_INSTANCE = re.compile(r"[0-9a-f]{12}")


class Watched(Protocol):
    """A link to the broker; ``connected`` never becomes true again once it ended."""

    connected: bool

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None: ...

    def unsubscribe(self, topics: Sequence[str]) -> None: ...


class DuplicateDetector:
    """Finds other gateways. ``message`` gets the messages on ``canaries`` and on the topics of ``look``.

    A retained `online` does not prove that another gateway is running: after a broker restart its last will may be
    missing. A running gateway is recognised by its answer to a challenge (gateway/mqtt/challenge.py).

    Two gateways that could not see each other at their starts meet later, by their canaries. Then the one that was
    there first stays, and ``on_another`` ends the other one. Of two that start at the same time one gives way.
    """

    def __init__(
        self,
        topics: Topics,
        instance: str,
        loopback: Loopback,
        publish: Callable[[Publication], None],
        on_another: Callable[[GatewayError], None],
    ) -> None:
        self.loopbacks = f"{topics.loopbacks}+"
        self._topics = topics
        self._instance = instance
        self._loopback = loopback
        self._publish = publish
        self._on_another = on_another
        self._told: dict[str, Any] = {}
        self._challenge = new_challenge()
        self._challenged_at = 0.0
        self._challenges = RateLimit(1, CHALLENGE_INTERVAL_S)
        self._answers = RateLimitByName(MAX_ANSWERS_PER_S, MAX_INSTANCES_PER_S)
        self._back = threading.Event()
        """Set when our challenge came back from the broker, and at a stop."""
        self._answered = threading.Event()
        """Set when another gateway answered, and at a stop."""
        self._another_instance = ""
        self._lock = threading.Lock()
        self._claimed_by = ""
        """The instance that is about to serve, before this one."""
        self._claimed_looks = 0
        self._unanswered: Challenge | None = None
        """The last challenge of a gateway that may be about to serve."""
        self._stopping = False
        self.exclusive = False
        """Return whether a look found nobody. Only then may this gateway serve."""
        self.displaced = False
        """Return whether this gateway has to go."""
        self.conflict = False
        """Whether another gateway, which has to go, published its own state over ours. The reader takes that back."""
        self.warnings: tuple[str, ...] = ()
        """Sentences about why the last look found no result."""

    def stop(self) -> None:
        """End ``look``."""
        self._stopping = True
        self._back.set()
        self._answered.set()

    def message(self, received: Received) -> None:
        if not received.topic.startswith(self._topics.loopbacks):
            with contextlib.suppress(ValueError, RecursionError):
                self._told[received.topic] = json.loads(received.payload)
            return
        instance = received.topic.removeprefix(self._topics.loopbacks)
        if received.retained or not _INSTANCE.fullmatch(instance):
            return
        if instance == self._instance:
            if read_challenge(received.payload) == self._challenge:
                self._back.set()
        elif challenge := read_challenge(received.payload):
            if self._answers.allows(instance):
                self._reply(instance, challenge)
        elif answer := read_answer(received.payload):
            self._take(instance, answer)
        elif claim := read_claim(received.payload):
            self._give_way(instance, claim)
        elif read_loopback(received.payload):
            self._ask()

    def search(self, link: Watched) -> None:
        """Raise AnotherGateway if there is one, NotYet if that cannot be said."""
        watched = [self._topics.info, self._topics.state]
        self._told, self._claimed_by, self._unanswered = {}, "", None
        self._back.clear()
        self._answered.clear()
        # After the events were cleared, or a stop in this moment would be missed.
        if self._stopping:
            raise NotYet
        link.subscribe([(topic, 0) for topic in watched], retained=True)
        self._renew_challenge()
        back = self._hears_itself()
        answered = back and self._wait_for_answer()
        link.unsubscribe(watched)
        if self._stopping or not link.connected:
            raise NotYet
        self._report(heard=back)
        if answered:
            raise AnotherGateway(self._another(self._another_instance))
        with self._lock:
            self.exclusive = back and not self._claimed_by
        if not self.exclusive:
            raise NotYet
        if self._unanswered:
            # It came too late for a claim to come back.
            self._say(Answer(self._unanswered.nonce, self._loopback.up_ms))

    def _hears_itself(self) -> bool:
        """Send our challenge until it comes back. The first one may overtake the subscription of a new link."""
        for _ in range(LOOPBACK_TRIES):
            self._say(self._challenge)
            if self._back.wait(LOOPBACK_WAIT_S):
                return True
        return False

    def _wait_for_answer(self) -> bool:
        if self._answered.wait(ANSWER_WAIT_S):
            return True
        # It may be busy, or about to connect again: long enough for its next canary, which we challenge again.
        return self._another_online() and self._answered.wait(1.5 * LOOPBACK_INTERVAL_S)

    def _ask(self) -> None:
        """Challenge all gateways that hear us."""
        if self._challenges.allows():
            self._renew_challenge()
            self._say(self._challenge)

    def _renew_challenge(self) -> None:
        self._challenge, self._challenged_at = new_challenge(), time.monotonic()

    def _reply(self, instance: str, challenge: Challenge) -> None:
        """Answer, if we serve. Of two that are both looking the one with the lower name goes first."""
        lower = self._instance < instance
        with self._lock:
            exclusive = self.exclusive
            if not exclusive and not lower:
                self._unanswered = challenge
        if exclusive:
            self._say(Answer(challenge.nonce, self._loopback.up_ms))
            self._ask()
        elif lower:
            self._say(Claim(challenge.nonce))
        else:
            # It may have begun to look after our challenge was published. Its claim shows that it runs.
            self._say(self._challenge)

    def _give_way(self, instance: str, claim: Claim) -> None:
        """To a gateway that claims to serve first, if it runs: anybody may publish challenges without end."""
        with self._lock:
            if not self.exclusive and instance < self._instance and self._is_ours(claim.nonce):
                self._claimed_by = instance

    def _is_ours(self, nonce: bytes) -> bool:
        """Return whether that is the number of our challenge, which only a gateway that runs can know."""
        return nonce == self._challenge.nonce and time.monotonic() < self._challenged_at + CHALLENGE_VALID_S

    def _take(self, instance: str, answer: Answer) -> None:
        if not self._is_ours(answer.nonce):
            return
        self._another_instance = instance
        self._answered.set()
        if self.exclusive:
            self._meet(instance, answer.up_ms - self._loopback.up_ms)

    def _meet(self, instance: str, ahead_ms: int) -> None:
        """Both gateways come to the same result, so exactly one of the two goes."""
        was_first = ahead_ms > AGE_TIE_MS or (ahead_ms >= -AGE_TIE_MS and instance < self._instance)
        if not was_first:
            self.conflict = True
            log.warning("%s This one was here first, and stays.", self._another(instance))
        elif not self.displaced:
            self.displaced = True
            self._on_another(AnotherGateway(self._another(instance)))

    def _say(self, message: Challenge | Answer | Claim) -> None:
        self._publish(Publication(self._topics.loopback(self._instance), message.write(), qos=0))

    def _report(self, *, heard: bool) -> None:
        """Log each warning once. ``heard``: whether our own challenge came back."""
        self._claimed_looks = self._claimed_looks + 1 if self._claimed_by else 0
        before, self.warnings = self.warnings, tuple(self._faults(heard))
        for warning in self.warnings:
            if warning not in before:
                log.warning("%s", warning)

    def _faults(self, heard: bool) -> Iterator[str]:
        if not heard:
            topic = self._topics.loopback(self._instance)
            yield (
                f"The gateway serves nobody on MQTT: what it publishes on {topic} does not come back from the broker,"
                " so it cannot see whether another gateway is running. Let its login read and write this topic"
                " (docs/reference/mqtt.md)."
            )
        if self._claimed_looks >= MAX_CLAIMED_SEARCHES:
            yield (
                f"The gateway serves nobody on MQTT: another gateway (instance {self._claimed_by}) says again and again"
                " that it is about to serve, and does not. Stop that one. If there is none, let no other login write"
                f" {self._topics.loopbacks}# (docs/reference/mqtt.md)."
            )

    def _another(self, instance: str) -> str:
        info = self._told.get(self._topics.info)
        host = f" on {info.get('host')}" if isinstance(info, dict) and info.get("instance") == instance else ""
        return (
            f"Another gateway is at work on {self._topics.state.removesuffix('/bridge/state')}/… at this broker"
            f" (instance {instance}{host}): everything would be answered twice. Stop one of them, or give it a base of"
            " its own (mqtt.base)."
        )

    def _another_online(self) -> bool:
        state, info = self._told.get(self._topics.state), self._told.get(self._topics.info)
        online = isinstance(state, dict) and state.get("state") == "online"
        return online and isinstance(info, dict) and info.get("instance") not in (None, self._instance)
