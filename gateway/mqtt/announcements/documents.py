"""The retained documents of one owner: each new session gets the newest one of every topic."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from itertools import islice

from gateway.errors import Busy
from gateway.mqtt.announcements.source import publish
from gateway.mqtt.announcements.untaken import UntakenTopics, find_settled, find_untaken
from gateway.mqtt.retained import RetainedJournal
from gateway.mqtt.transport.ledger import Delivery
from gateway.mqtt.transport.packets import Publication
from gateway.mqtt.transport.session import Session

log = logging.getLogger(__name__)

MAX_DEFERRED_PER_TICK = 25
"""Documents of ``publish_later`` in half a second: 50 a second."""


class RetainedDocuments:
    """Publisher of the retained documents of an owner. Safe to use from any thread. Implements Source.

    Only the newest document of a topic is kept, and only that one is published after the broker was away. The broker is
    cleared of all topics that the owner does not use any more, also those of an earlier run.
    ``on_work`` is called when there is something to send. ``is_mine``: returns False for the owner's topics of which
    another gateway takes care.
    """

    def __init__(
        self,
        owner: str,
        retained: RetainedJournal,
        on_work: Callable[[], None] = lambda: None,
        is_mine: Callable[[str], bool] = lambda _topic: True,
    ) -> None:
        self._owner = owner
        self.title = f"Retained messages ({owner})"
        self._retained = retained
        self._on_work = on_work
        self._is_mine = is_mine
        self._lock = threading.Lock()
        self._documents: dict[str, bytes] = {}
        # Topics whose newest document was not sent on this session yet. The order is that of the announcements.
        self._unsent: dict[str, None] = {}
        self._deferred: dict[str, None] = {}
        # Topics whose document is not urgent: on a new session they come after all others.
        self._not_urgent: set[str] = set()
        # The documents that were sent on this session, and that the broker may not have confirmed.
        self._sent: dict[str, Delivery[Session]] = {}
        # Topics that are cleared, with the delivery of the empty message once it is sent.
        self._clearing: dict[str, Delivery[Session] | None] = {}
        self._untaken = UntakenTopics()
        # True if the topics to clear could not be read.
        self._must_look_again = False

    @property
    def earlier_topics(self) -> list[str]:
        """The owner's topics at the broker, those of an earlier run included."""
        return self._retained.left_behind(self._owner, ())

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish a document in place of the one before, now and on each later session. Empty: withdraw it."""
        if not payload:
            self.withdraw(topic)
        elif self._set(topic, payload):
            with self._lock:
                self._deferred.pop(topic, None)
                self._not_urgent.discard(topic)
                self._unsent[topic] = None
            self._on_work()

    def publish_later(self, topic: str, payload: bytes) -> None:
        """Publish a document that is not urgent: it waits if there are many of them."""
        if self._set(topic, payload):
            with self._lock:
                if topic not in self._unsent:
                    self._not_urgent.add(topic)
                    self._deferred[topic] = None

    def withdraw(self, *topics: str) -> None:
        """Clear the topics at the broker."""
        with self._lock:
            for topic in topics:
                self._documents.pop(topic, None)
                self._unsent.pop(topic, None)
                self._deferred.pop(topic, None)
                self._not_urgent.discard(topic)
                if self._retained.belongs_to(self._owner, topic):
                    self._clearing[topic] = None
                    self._unsent[topic] = None
        self._on_work()

    def clear(self, *topics: str) -> None:
        """Clear topics of the owner that another gateway has left for ever, unless there are documents for them."""
        with self._lock:
            for topic in topics:
                if topic not in self._documents:
                    self._clearing[topic] = None
                    self._unsent[topic] = None
        self._on_work()

    def release(self, *topics: str) -> None:
        """Forget the documents of topics without clearing them: another gateway publishes there from now on."""
        with self._lock:
            for topic in topics:
                self._documents.pop(topic, None)
                self._unsent.pop(topic, None)
                self._deferred.pop(topic, None)
                self._not_urgent.discard(topic)
                self._clearing.pop(topic, None)
                self._untaken.forget(topic)
            self._retained.release(self._owner, *topics)

    def release_all(self) -> None:
        """Forget all documents without clearing their topics."""
        self.release(*self._documents, *self._clearing, *self._untaken.topics)

    def is_confirmed(self, *topics: str) -> bool:
        """Return whether the broker has the newest document of each topic, or has cleared it."""
        return self.find_unconfirmed().isdisjoint(topics)

    def find_unconfirmed(self) -> set[str]:
        """Return the topics of which the broker may have an older document, or one that is to be cleared."""
        with self._lock:
            published = find_untaken(self._sent) | find_untaken(self._clearing)
            return {*self._unsent, *self._deferred, *published, *self._untaken.topics}

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence if the broker refused messages."""
        with self._lock:
            return self._untaken.warnings(self.title)

    def has_cleared(self, *topics: str) -> bool:
        """Return whether the broker has no message of the owner on these topics."""
        gone = not any(self._retained.belongs_to(self._owner, topic) for topic in topics)
        return gone and self.knows_earlier_topics and self.is_confirmed(*topics)

    @property
    def knows_earlier_topics(self) -> bool:
        """False while topics of an earlier run or owner were not read, or given up: they may have to be cleared."""
        return not self._must_look_again and not self._untaken.has_given_up

    def clear_earlier(self) -> None:
        """Clear the topics that another gateway has left to this one, as far as there are no documents for them."""
        with self._lock:
            self._clear_earlier()
        self._on_work()

    def start_session(self) -> None:
        """Publish all documents again, since the broker may have lost them, and clear the topics of an earlier run."""
        with self._lock:
            earlier, self._clearing = self._clearing, {}
            self._must_look_again = False
            if self._untaken.start_session(earlier):
                self._clear_earlier()
            urgent = [topic for topic in self._documents if topic not in self._not_urgent]
            # A topic of an earlier run may name somebody.
            self._unsent = dict.fromkeys([*urgent, *self._clearing, *self._documents])
            self._deferred.clear()
            self._sent.clear()

    def repeat(self) -> None:
        """Publish all documents again on this session: another program may have cleared some of them."""
        with self._lock:
            self._unsent = {**dict.fromkeys(self._documents), **self._unsent}
        self._on_work()

    def send(self, session: Session, count: int) -> int:
        """Publish up to ``count`` documents, and return their number."""
        with self._lock:
            topics = list(islice(self._unsent, count))
            # Before the messages: after a kill between the two steps the next run can still clear the topics. Under the
            # lock: ``withdraw`` clears only the topics that are recorded.
            try:
                self._retained.add(self._owner, *(topic for topic in topics if topic in self._documents))
            except Busy:
                # A later call tries again.
                return 0
            messages = [self._take(session, topic) for topic in topics]
        for publication, delivery in messages:
            publish(session, publication, delivery)
        return len(messages)

    def oldest_unconfirmed(self) -> tuple[str, float] | None:
        with self._lock:
            return next(((topic, each.received_at) for topic, each in self._sent.items() if not each.settled), None)

    def tick(self) -> None:
        """Forget the topics that are cleared, and send some of the documents that could wait."""
        with self._lock:
            if self._must_look_again:
                self._clear_earlier()
            cleared = self._note_settled()
            for topic in list(self._deferred)[:MAX_DEFERRED_PER_TICK]:
                self._unsent[topic] = self._deferred.pop(topic)
            if not self._clearing:
                self._untaken.end_clearing()
            # Under the lock: after ``release`` another gateway may record the topics again.
            self._retained.remove(self._owner, *cleared)

    def _note_settled(self) -> list[str]:
        """Forget the messages that the broker took or refused. Return the topics that are cleared."""
        cleared: list[str] = []
        for topic, document in find_settled(self._sent):
            del self._sent[topic]
            if document.refused and topic in self._documents:
                self._untaken.note_refused(topic)
        for topic, clearing in find_settled(self._clearing):
            del self._clearing[topic]
            (self._untaken.note_refused if clearing.refused else cleared.append)(topic)
        return cleared

    def _set(self, topic: str, payload: bytes) -> bool:
        """Note the document of a topic. Return False if it is that of before."""
        with self._lock:
            if self._documents.get(topic) == payload:
                return False
            self._documents[topic] = payload
            self._clearing.pop(topic, None)
            return True

    def _take(self, session: Session, topic: str) -> tuple[Publication, Delivery[Session]]:
        del self._unsent[topic]
        self._untaken.forget(topic)
        payload, delivery = self._documents.get(topic, b""), Delivery(session=session)
        if payload:
            self._sent[topic] = delivery
        else:
            self._clearing[topic] = delivery
        return Publication(topic, payload, retain=True), delivery

    def _clear_earlier(self) -> None:
        try:
            found = self._retained.left_behind(self._owner, self._documents)
        except Busy as error:
            log.debug("the retained messages of earlier owners are cleared later: %s", error)
            self._must_look_again = True
            return
        self._must_look_again = False
        self._untaken.begin_clearing()
        mine = list(filter(self._is_mine, found))
        self._retained.release(self._owner, *set(found).difference(mine))
        for topic in [each for each in mine if each not in self._clearing]:
            self._clearing[topic] = None
            self._unsent[topic] = None
