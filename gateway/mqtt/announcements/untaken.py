"""The retained topics of which the broker did not take the newest message."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

# A broker may close the connection of a client that publishes where its ACL forbids it (MQTT 3.1.1, 3.3.5). Fewer than
# backoff.MAX_SHORT_CONNECTIONS: after that many short connections in a row the gateway ends.
MAX_CLEARING_ATTEMPTS = 3
"""Connections in a row that may end before the topics of an earlier run are cleared."""

MAX_NAMED = 3
"""The number of topics that a warning names."""

Deliveries = Mapping[str, Delivery[Session] | None]
"""The messages of topics, None before they are sent."""


def find_settled(deliveries: Deliveries) -> list[tuple[str, Delivery[Session]]]:
    """Return the messages that the broker took or refused."""
    return [(topic, each) for topic, each in deliveries.items() if each is not None and each.settled]


def find_untaken(deliveries: Deliveries) -> set[str]:
    """Return the topics of the messages that the broker has not confirmed, or refused."""
    return {topic for topic, each in deliveries.items() if each is None or not each.settled or each.refused}


class UntakenTopics:
    """The topics that the broker refused, and those whose clearing was given up. Not safe for several threads."""

    def __init__(self) -> None:
        self._refused: set[str] = set()
        self._given_up: set[str] = set()
        self._failed_attempts = 0

    @property
    def topics(self) -> set[str]:
        return self._refused | self._given_up

    @property
    def has_given_up(self) -> bool:
        """True while topics of an earlier run are not cleared, since too many connections ended."""
        return bool(self._given_up)

    def warnings(self, title: str) -> tuple[str, ...]:
        """Return a sentence if there are such topics. ``title``: of their messages."""
        topics = sorted(self.topics)
        if not topics:
            return ()
        more = f" and {len(topics) - MAX_NAMED} more topics" if len(topics) > MAX_NAMED else ""
        return (
            f"{title}: the broker refused messages on {', '.join(topics[:MAX_NAMED])}{more}, and may keep older ones"
            " that name people. Let the gateway's login publish there, and restart the gateway",
        )

    def note_refused(self, topic: str) -> None:
        """Note that the broker refused the newest message of a topic. It would refuse it again on this session."""
        self._refused.add(topic)

    def forget(self, *topics: str) -> None:
        """Forget topics that another gateway takes care of, or whose next message is sent now."""
        self._refused.difference_update(topics)
        self._given_up.difference_update(topics)

    def start_session(self, clearing: Deliveries) -> bool:
        """Return whether to clear the topics of an earlier run on a new session.

        ``clearing``: those of the previous attempt. Its connection ended before the broker confirmed them.
        """
        self._refused.clear()
        # A connection that this gateway cut says nothing about the broker.
        was_cut = any(each is not None and each.session.cut_reason for each in clearing.values())
        self._failed_attempts += bool(clearing) and not was_cut
        if self._failed_attempts < MAX_CLEARING_ATTEMPTS:
            return True
        if clearing and not self._given_up:
            _warn(clearing)
        self._given_up.update(clearing)
        return False

    def begin_clearing(self) -> None:
        """Note that all topics of an earlier run are cleared on this session."""
        self._given_up.clear()

    def end_clearing(self) -> None:
        """Note that no topic has to be cleared any more."""
        self._failed_attempts = 0


def _warn(topics: Collection[str]) -> None:
    log.warning(
        "The retained messages on %s cannot be cleared: the broker closed the connection %d times. Let the gateway's"
        " login write these topics, or delete the messages at the broker.",
        list(topics)[:10],
        MAX_CLEARING_ATTEMPTS,
    )
