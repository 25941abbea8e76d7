"""The search of a replica for a gateway that works alone on the same base, and its answers to such gateways.

The messages are those of bridge/challenge.py. Replicas of one cluster neither search for each other nor answer each
other. A replica that serves answers as if it were older than any gateway alone, which therefore ends. A replica that
only starts does not answer: a gateway alone that serves goes on, and the replica ends.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Final

from gateway.mqtt.bridge.challenge import Answer, read_answer, read_challenge, read_serve
from gateway.mqtt.bridge.own_challenge import OwnChallenge
from gateway.mqtt.bridge.rate_limit import MAX_ANSWERS_PER_S, MAX_INSTANCES_PER_S, RateLimitByName
from gateway.mqtt.bridge.search_session import SearchSession
from gateway.mqtt.bridge.search_warnings import SearchWarnings
from gateway.mqtt.bridge.seen_status import SeenStatus
from gateway.mqtt.cluster.place import Place
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.loopback import LOOPBACK_INTERVAL_S
from gateway.mqtt.transport.packets import Publication, Received
from gateway.mqtt.transport.reconnector import NotYet

CLUSTER_AGE_MS: Final = 10**17
"""The age that a replica states: more than any gateway alone can have."""

LOOPBACK_WAIT_S = 0.5
LOOPBACK_TRIES = 10
ANSWER_WAIT_S = 0.5
ROUND_TRIPS = 5
"""The wait for an answer in times that the own challenge took, if that is longer."""

MEMBER_POLL_S = 0.1

_INSTANCE = re.compile(r"[0-9a-f]{12}")


class SingleGatewaySearch:
    """The searcher. ``publish`` must use the connection that has subscribed to ``loopback_filter``.

    ``lease_s``: after this time a new replica is known to all others.
    """

    def __init__(self, topics: Topics, place: Place, lease_s: float, publish: Callable[[Publication], None]) -> None:
        self.loopback_filter = f"{topics.loopbacks}+"
        self.exclusive = False
        """True if a search found no gateway alone. Only then may this replica serve."""
        self._loopbacks = topics.loopbacks
        self._own_topic = topics.loopback(place.replica)
        self._place = place
        self._lease_s = lease_s
        self._publish = publish
        self._seen = SeenStatus(topics)
        self._warnings = SearchWarnings(self._own_topic, topics.loopbacks)
        self._own = OwnChallenge()
        self._answers = RateLimitByName(MAX_ANSWERS_PER_S, MAX_INSTANCES_PER_S)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._answered_by: set[str] = set()

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings.warnings

    def stop(self) -> None:
        """End a search that is running."""
        self._stopping.set()
        self._own.release()

    def receive(self, received: Received) -> None:
        """React to a message of another gateway, or take an own message that came back."""
        if not received.topic.startswith(self._loopbacks):
            self._seen.receive(received)
            return
        instance = received.topic.removeprefix(self._loopbacks)
        if received.retained or not _INSTANCE.fullmatch(instance):
            return
        if instance == self._place.replica:
            self._own.receive(received.payload)
        elif asked := read_challenge(received.payload) or read_serve(received.payload):
            if self.exclusive and instance not in self._members() and self._answers.allows(instance):
                self._send(Answer(asked.nonce, CLUSTER_AGE_MS))
        elif (answer := read_answer(received.payload)) and self._own.has_nonce(answer.nonce):
            with self._lock:
                self._answered_by.add(instance)
            self._own.record_answer(instance)

    def search(self, session: SearchSession) -> None:
        """Search once. Raises AnotherGateway if a gateway alone serves, and NotYet if the search has no result."""
        self._seen.clear()
        self._own.reset()
        with self._lock:
            self._answered_by.clear()
        if self._stopping.is_set():
            raise NotYet
        session.subscribe([(topic, 0) for topic in self._seen.topics], retained=True)
        self._own.renew()
        heard = self._hears_itself()
        stranger = self._find_stranger() if heard else None
        session.unsubscribe(self._seen.topics)
        if self._stopping.is_set() or not session.connected:
            raise NotYet
        self._warnings.record_search(heard=heard, claimed_by="")
        if stranger is not None:
            raise self._seen.another_gateway_error(stranger)
        if not heard:
            raise NotYet
        self.exclusive = True

    def _hears_itself(self) -> bool:
        # The challenge is sent several times: the first one may overtake the subscription of a new session.
        for _ in range(LOOPBACK_TRIES):
            self._own.note_sent()
            self._publish(Publication(self._own_topic, self._own.message.write(), qos=0))
            if self._own.wait_for_return(LOOPBACK_WAIT_S):
                return True
        return False

    def _find_stranger(self) -> str | None:
        """Return a gateway that has answered the challenge, and is no replica of this cluster."""
        self._own.wait_for_answer(max(ANSWER_WAIT_S, ROUND_TRIPS * self._own.round_trip_s))
        if self._is_stranger_online():
            # The other gateway may be busy, or about to connect again.
            self._own.wait_for_answer(1.5 * LOOPBACK_INTERVAL_S)
        # A replica that has joined a moment ago is unknown until the next renewal of the lease.
        deadline = time.monotonic() + self._lease_s
        while (strangers := self._strangers()) and time.monotonic() < deadline:
            if self._stopping.wait(MEMBER_POLL_S):
                return None
        return min(strangers, default=None)

    def _is_stranger_online(self) -> bool:
        return self._seen.is_another_online(self._place.replica) and self._seen.instance not in self._members()

    def _strangers(self) -> set[str]:
        with self._lock:
            return self._answered_by - self._members()

    def _members(self) -> frozenset[str]:
        """Return the replicas of this cluster. One whose lease has ended may have answered before."""
        return frozenset(each.id for each in self._place.view().replicas)

    def _send(self, answer: Answer) -> None:
        self._publish(Publication(self._own_topic, answer.write(), qos=0))
