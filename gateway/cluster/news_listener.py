"""The thread that waits for announcements of other replicas, so that nobody waits for the next look."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from gateway.errors import Busy
from gateway.store.protocols.coordination import Coordination, News

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 0.5
"""The longest time until the thread ends."""


class NewsListener:
    """Calls a function for each kind of announcement. Without a database nothing is called: others look from time to
    time anyway."""

    def __init__(
        self,
        coordination: Coordination,
        *,
        on_people: Callable[[], object],
        on_confirmed: Callable[[], object],
        on_cluster: Callable[[], object],
    ) -> None:
        self._coordination = coordination
        self._on_people = on_people
        self._on_confirmed = on_confirmed
        self._on_cluster = on_cluster
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster news")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._coordination.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                news = self._coordination.wait_for_news(LONGEST_WAIT_S)
                self._pass_on(news)
            except Busy:
                self._stopping.wait(LONGEST_WAIT_S)
            # Even a bug in the gateway must not end this thread: a replica would hear of each change only later.
            except Exception:
                log.exception("the announcements of other replicas cannot be read")
                self._stopping.wait(LONGEST_WAIT_S)

    def _pass_on(self, news: News) -> None:
        if news.people:
            self._on_people()
        if news.confirmed:
            self._on_confirmed()
        if news.cluster:
            self._on_cluster()
