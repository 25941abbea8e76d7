"""The live frames that wait for a worker process, or are being analysed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future

from gateway.model import Reply, Request


class FramesInWork:
    """The answers that live frames wait for, each with its camera. Safe to use from any thread.

    ``post``: lets the thread that sets the answers call a function.
    """

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._cameras: dict[Future[Reply], str] = {}

    def add(self, request: Request, answer: Future[Reply]) -> None:
        """Add a frame, whose answer is not done yet."""
        assert request.origin.camera is not None
        with self._lock:
            self._cameras[answer] = request.origin.camera
        answer.add_done_callback(self._remove)

    def drop(self, cameras: Collection[str]) -> None:
        """Cancel the answers to frames of these cameras that are not set yet.

        The thread that sets answers does it, so an answer that it is setting now stays.
        """
        with self._lock:
            dropped = [answer for answer, camera in self._cameras.items() if camera in cameras]

        def cancel() -> None:
            for answer in dropped:
                answer.cancel()

        self._post(cancel)

    def _remove(self, answer: Future[Reply]) -> None:
        with self._lock:
            self._cameras.pop(answer, None)
