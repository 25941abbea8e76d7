"""The subscriptions of the connection for frames, which change with the cameras of the replica."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol


class SubscribingSession(Protocol):
    """The MQTT session of the connection for frames."""

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> None: ...

    def unsubscribe(self, topics: Sequence[str]) -> None: ...


class FrameSubscriptions:
    """The topic filters that a session has, and those that it should have. Safe to use from any thread.

    ``wanted``: returns the filters with their QoS.
    """

    def __init__(self, wanted: Callable[[], Iterable[tuple[str, int]]]) -> None:
        self._wanted = wanted
        self._lock = threading.Lock()
        self._session: SubscribingSession | None = None
        self._filters: dict[str, int] = {}

    def update(self, session: SubscribingSession) -> None:
        """Subscribe to the filters that are new, and unsubscribe from those that are not wanted any more."""
        with self._lock:
            if session is not self._session:
                self._session, self._filters = session, {}
            # Asked under the lock: an older answer must not come after a newer one.
            wanted = dict(self._wanted())
            if gone := [each for each in self._filters if each not in wanted]:
                session.unsubscribe(gone)
            if new := [(each, qos) for each, qos in wanted.items() if each not in self._filters]:
                session.subscribe(new)
            self._filters = wanted
