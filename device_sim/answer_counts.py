"""The numbers of pictures that several gateways answered, from their metrics."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException

READ_TIMEOUT_S = 2.0
WATCH_INTERVAL_S = 0.5
REPLIES = re.compile(rb"^facegate_replies_total (\S+)$", re.MULTILINE)


class AnswerCounts:
    """A thread that reads the metrics of gateways again and again. ``ports``: their ports of REST."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._newest: list[int | None] = [None for _ in ports]
        self._earlier = [0 for _ in ports]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="answer counts")

    def __enter__(self) -> AnswerCounts:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    @property
    def totals(self) -> Sequence[int]:
        """The number of each gateway, with those of its earlier runs, in the order of the ports."""
        return [earlier + (newest or 0) for earlier, newest in zip(self._earlier, self._newest, strict=True)]

    def _run(self) -> None:
        while not self._closing.wait(WATCH_INTERVAL_S):
            for number, port in enumerate(self._ports):
                self._note(number, read_answered(port))

    def _note(self, number: int, answered: int | None) -> None:
        last = self._newest[number]
        if answered is None:
            return
        # A gateway that was killed counts from 0 again.
        if last is not None and answered < last:
            self._earlier[number] += last
        self._newest[number] = answered


def read_answered(port: int) -> int | None:
    """Return the number of requests and frames that a gateway answered since its start, or None without a reply."""
    connection = HTTPConnection("127.0.0.1", port, timeout=READ_TIMEOUT_S)
    try:
        connection.request("GET", "/metrics")
        found = REPLIES.search(connection.getresponse().read())
        return None if found is None else round(float(found[1]))
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
