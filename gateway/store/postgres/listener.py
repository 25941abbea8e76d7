"""The thread that hears of changes by other processes as soon as they are committed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import psycopg

from gateway.store.postgres.address import Address
from gateway.store.postgres.connections import TimeLimits, connect
from gateway.store.postgres.schema import CHANNEL

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 0.5
"""The longest time until the thread ends."""

RECONNECT_S = 1.0
"""The pause between two attempts to connect."""


class ChangeListener:
    """Calls ``wake`` after each announcement, on a connection of its own.

    An announcement may be lost with the connection. So ``wake`` is called after each new connection too. A thread that
    must miss no change also looks for changes from time to time.
    """

    def __init__(self, address: Address, limits: TimeLimits, wake: Callable[[], object]) -> None:
        self._address = address
        self._limits = limits
        self._wake = wake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store changes")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            # Others report that the database is away.
            except psycopg.Error:
                self._stopping.wait(RECONNECT_S)
            # Even a bug in the gateway must not end this thread: changes would be followed only every half second.
            except Exception:
                log.exception("the announcements of changes cannot be read")
                self._stopping.wait(RECONNECT_S)

    def _listen(self) -> None:
        connection = connect(self._address, self._limits)
        try:
            connection.execute(f"LISTEN {CHANNEL}")
            self._wake()
            while not self._stopping.is_set():
                if list(connection.notifies(timeout=LONGEST_WAIT_S, stop_after=1)):
                    self._wake()
        finally:
            connection.close()
