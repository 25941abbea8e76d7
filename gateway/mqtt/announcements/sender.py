"""The sender of announcements: it publishes no more of them than the broker takes."""

from __future__ import annotations

import threading

from gateway.mqtt.announcements.publish_guard import PublishGuard, Unconfirmed
from gateway.mqtt.announcements.source import Source
from gateway.mqtt.transport.session import Session

MAX_PENDING_MESSAGES = 1000
"""Messages that the broker has not confirmed, replies included. Beyond that, announcements wait at their source, where
a newer one takes the place of an older one."""

MAX_BATCH_MESSAGES = 50
"""Messages of one source before the next source has its turn."""


class Sender:
    """Publisher of the messages of several sources, of which an earlier one comes first. Safe to use from any thread.

    ``max_pending``: a lower limit than MAX_PENDING_MESSAGES, if the settings have one.
    """

    def __init__(self, max_pending: int) -> None:
        self._sources: list[Source] = []
        self._max_pending = min(max_pending, MAX_PENDING_MESSAGES)
        self._sending = threading.Lock()
        self._session: Session | None = None
        self._has_work = False
        self._stopped = False
        self._guard = PublishGuard()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about announcements that the broker does not take."""
        return self._guard.warnings

    def add(self, source: Source) -> None:
        """Add a source, before the first session."""
        self._sources.append(source)

    def start_session(self, session: Session) -> None:
        """Use a new session from now on, and publish everything that the broker may have lost."""
        # Otherwise a thread could send a message on the old session after its source was told of the new one.
        with self._sending:
            self._guard.start_session()
            for source in self._sources:
                source.start_session()
            self._session = session
        self.send()

    @property
    def has_session(self) -> bool:
        """True during a session that has begun for all sources."""
        session = self._session
        return session is not None and session.connected

    def end_session(self) -> bool:
        """Note that a session has ended. Return whether an announcement is the cause, which is left out from now on."""
        found = ((each.title, each.oldest_unconfirmed()) for each in self._sources)
        unconfirmed = (Unconfirmed(title, *oldest) for title, oldest in found if oldest is not None)
        return self._guard.connection_ended(min(unconfirmed, key=lambda each: each.at, default=None))

    def tick(self) -> None:
        """Note what the broker has confirmed, and send what could not be sent before. Called twice a second."""
        for source in self._sources:
            source.tick()
        self.send()

    def stop(self) -> None:
        """Publish nothing any more."""
        self._stopped = True

    def send(self) -> None:
        """Publish as many waiting messages as the broker takes now. Returns immediately."""
        # One thread sends at a time, or an older document could overtake a newer one. A second thread leaves its
        # messages to the first, which looks again after it has released the lock.
        self._has_work = True
        while self._has_work and self._sending.acquire(blocking=False):
            try:
                self._has_work = False
                while self._send_batch():
                    pass
            finally:
                self._sending.release()

    def _send_batch(self) -> bool:
        """Publish a batch. Return whether there may be another one."""
        session = self._session
        if self._stopped or session is None or not session.connected:
            return False
        room = min(self._max_pending - session.pending, MAX_BATCH_MESSAGES)
        allowed = (each for each in self._sources if not self._guard.leaves_out(each.title))
        return room > 0 and any(source.send(session, room) for source in allowed)
