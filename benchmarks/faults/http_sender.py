"""HTTP clients in a separate process: quiet ones, floods, and clients that hold a connection as long as they can.

``python -m benchmarks.faults.http_sender`` reads an HttpTask as JSON from standard input, and prints a Tally as JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPException

from benchmarks.faults.exit_guard import install_exit_guard
from benchmarks.faults.load import pictures_of
from benchmarks.faults.sender import Tally, moments

TIMEOUT_S = 30.0
DRIP_INTERVAL_S = 1.0
"""Time between two bytes of a slow client."""

HEAD = b"POST /face_rec HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
SLOW_BEGINNINGS = (b"", b"GET /face_rec HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", HEAD)
"""The beginnings of slow requests: without a byte, within the headers, and within the body."""

GARBAGE = (b"", b"text", b"\xff\xd8\xff" + bytes(20_000), b"{" * 1_000)
"""The bodies that every other request of a flood has."""


@dataclass(frozen=True, slots=True)
class HttpTask:
    """A task of HTTP clients. Each client has an address of its own on this machine, from 127.0.``net``.1 on.

    ``clients``: their number. ``rate``: requests per second of all of them together, independent of answers; 0 for
    floods, which send the next request as soon as the last one is answered. ``slow``: clients that send one byte a
    second instead. ``cores``: the only processor cores for the clients; empty for all.
    """

    port: int
    net: int
    clients: int
    seconds: float
    rate: float = 0.0
    slow: bool = False
    cores: list[int] = field(default_factory=list)


class Clients:
    """The clients of a task, each in a thread."""

    def __init__(self, task: HttpTask) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._codes: Counter[str] = Counter()
        self._tally = Tally()
        self._begun = time.monotonic()

    def run(self) -> Tally:
        busy = time.process_time()
        work = self._drip if self._task.slow else self._ask_repeatedly
        threads = [threading.Thread(target=work, args=(n,)) for n in range(self._task.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._tally.took = self._task.seconds
        self._tally.by_code = dict(self._codes)
        self._tally.ok_in_time = self._codes["ok"]
        self._tally.cores = round((time.process_time() - busy) / self._task.seconds, 3)
        return self._tally

    def _remaining(self) -> float:
        return self._begun + self._task.seconds - time.monotonic()

    def _address(self, client: int) -> str:
        return f"127.0.{self._task.net}.{client + 1}"

    def _ask_repeatedly(self, client: int) -> None:
        connection = HTTPConnection(
            "127.0.0.1", self._task.port, timeout=TIMEOUT_S, source_address=(self._address(client), 0)
        )
        bodies = self._bodies()
        for at in self._moments(client):
            time.sleep(max(0.0, at - time.monotonic()))
            self._ask(connection, next(bodies), at if self._task.rate else time.monotonic())
        connection.close()

    def _bodies(self) -> Iterator[bytes]:
        pictures = itertools.cycle(pictures_of())
        garbage = itertools.cycle(GARBAGE)
        while True:
            yield next(pictures)
            if not self._task.rate:
                yield next(garbage)

    def _moments(self, client: int) -> Iterator[float]:
        """Return the moments at which a client sends its requests."""
        task = self._task
        if task.rate:
            for moment in moments(task.rate, task.seconds, client, task.clients):
                yield self._begun + moment
        else:
            while self._remaining() > 0:
                yield time.monotonic()

    def _ask(self, connection: HTTPConnection, body: bytes, asked: float) -> None:
        with self._lock:
            self._tally.sent += 1
        try:
            connection.request("POST", "/face_rec", body)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            # A connection that the gateway ended is opened again by the next request.
            connection.close()
            return
        code = "ok" if answer.status == 200 else str(json.loads(content)["code"])
        with self._lock:
            self._codes[code] += 1
            if code == "ok":
                self._tally.latencies.append(time.monotonic() - asked)

    def _drip(self, client: int) -> None:
        """Open a connection, and send one byte a second. Open another when the gateway ends it."""
        source, beginning = (self._address(client), 0), SLOW_BEGINNINGS[client % len(SLOW_BEGINNINGS)]
        while self._remaining() > 0:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._task.port), TIMEOUT_S, source) as sock:
                with self._lock:
                    self._tally.sent += 1
                sock.sendall(beginning)
                sock.settimeout(DRIP_INTERVAL_S)
                while self._remaining() > 0 and not _is_ended(sock):
                    sock.sendall(b"x" if beginning else b"")


def _is_ended(sock: socket.socket) -> bool:
    """Wait for DRIP_INTERVAL_S, and return whether the gateway ended the connection."""
    try:
        return sock.recv(1000) == b""
    except TimeoutError:
        return False


if __name__ == "__main__":
    install_exit_guard()
    task = HttpTask(**json.load(sys.stdin))
    if task.cores:
        os.sched_setaffinity(0, task.cores)
    print(json.dumps(asdict(Clients(task).run())))
