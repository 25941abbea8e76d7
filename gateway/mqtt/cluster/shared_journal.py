"""The journal of topics in the database that all replicas share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

from gateway.errors import Busy
from gateway.store.protocols.broker_notes import BrokerNotes

log = logging.getLogger(__name__)


class SharedRetainedTopics:
    """The journal of topics of a cluster. Implements RetainedJournal. Safe to use from any thread."""

    # The copy in memory saves a question to the database for each message. It would be behind for the topics of other
    # replicas, so it has only those of this one.

    warnings: tuple[str, ...] = ()

    def __init__(self, notes: BrokerNotes) -> None:
        self._notes = notes
        self._lock = threading.Lock()
        self._owners: dict[str, str] = {}

    def add(self, owner: str, *topics: str) -> None:
        """Record the topics before anything retained is published on them. Raises Busy."""
        with self._lock:
            added = [topic for topic in topics if self._owners.get(topic) != owner]
        if added:
            self._notes.add_topics(owner, added)
            with self._lock:
                self._owners.update(dict.fromkeys(added, owner))

    def left_behind(self, owner: str, current: Collection[str]) -> list[str]:
        """Return the owner's topics that are not among its current ones, sorted. Other replicas may have added them.

        Raises Busy.
        """
        found = self._notes.read_topics(owner)
        with self._lock:
            others = {topic: its for topic, its in self._owners.items() if its != owner}
            self._owners = {**others, **dict.fromkeys(found, owner)}
        return sorted(set(found).difference(current))

    def belongs_to(self, owner: str, topic: str) -> bool:
        """Return whether the topic is one of the owner's."""
        with self._lock:
            return self._owners.get(topic) == owner

    def remove(self, owner: str, *topics: str) -> None:
        """Forget the topics, whose retained messages are cleared, unless another owner has them now."""
        removed = [topic for topic in topics if self.belongs_to(owner, topic)]
        if not removed:
            return
        try:
            self._notes.remove_topics(owner, removed)
        except Busy as error:
            # The next owner clears these topics once more, which does no harm.
            log.debug("cleared topics stay in the journal of topics: %s", error)
            return
        with self._lock:
            for topic in removed:
                self._owners.pop(topic, None)

    def release(self, owner: str, *topics: str) -> None:
        """Forget the copy of topics that another replica may record or remove from now on."""
        with self._lock:
            for topic in topics:
                if self._owners.get(topic) == owner:
                    del self._owners[topic]
