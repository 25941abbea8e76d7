"""A thread that does one thing again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from gateway.attempts import Attempts

log = logging.getLogger(__name__)


class PeriodicThread:
    """A thread that calls a function every ``interval_s`` seconds. It may be started again after a stop.

    ``failure``: the sentence that is logged with an exception of the function, as by Attempts. The thread continues.
    ``first_s``: the time until the first call, by default one interval.
    """

    def __init__(
        self,
        name: str,
        interval_s: float,
        call: Callable[[], object],
        failure: str,
        *,
        first_s: float | None = None,
    ) -> None:
        self._name = name
        self._interval_s = interval_s
        self._call = call
        self._attempts = Attempts(log, failure)
        self._first_s = first_s
        self._stopping = threading.Event()
        # Set to end a pause: for a call, or for the end.
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Start the thread, which must not run now."""
        if self._stopping.is_set():
            self._stopping.clear()
            self._woken.clear()
            self._thread = threading.Thread(target=self._run, name=self._name)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the call in which it is. It may not have been started."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Let the thread call the function now, or once more if it is within a call."""
        self._woken.set()

    def _run(self) -> None:
        pause = self._interval_s if self._first_s is None else self._first_s
        while True:
            self._woken.wait(pause)
            if self._stopping.is_set():
                return
            self._woken.clear()
            # Even a bug in the gateway must not end this thread.
            with self._attempts.attempt():
                self._call()
            pause = self._interval_s
