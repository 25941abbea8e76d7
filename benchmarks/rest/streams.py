"""Open event streams in a process of their own.

``python -m benchmarks.rest.streams TASK`` opens the streams of a StreamsTask, prints ``open``, and reads all events
until standard input ends. Then it prints the number of events as JSON.
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass

from benchmarks.rest.setup import ROOT

EVENTS = "/api/v1/events"
RESPONSE_S = 30.0


@dataclass(frozen=True, slots=True)
class StreamsTask:
    port: int
    streams: int


@contextmanager
def open_streams(task: StreamsTask) -> Iterator[dict[str, int]]:
    """Keep streams open. After the end the dictionary has the number of ``events`` that they received."""
    command = [sys.executable, "-m", "benchmarks.rest.streams", json.dumps(asdict(task))]
    received: dict[str, int] = {}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "open\n":
            raise OSError("the event streams could not be opened")
        yield received
        process.stdin.close()
        received.update(json.loads(process.stdout.read()))


def read_streams(task: StreamsTask) -> int:
    """Open the streams, print ``open``, and return the number of events that came until standard input ended."""
    events = 0
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(task.streams):
            selector.register(stack.enter_context(_open_stream(task.port)), selectors.EVENT_READ)
        print("open", flush=True)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if not isinstance(key.fileobj, socket.socket):
                    return events
                data = key.fileobj.recv(65_536)
                if not data:
                    raise OSError("the gateway ended a stream")
                events += data.count(b"event:")


def _open_stream(port: int) -> socket.socket:
    """Return the connection of a stream, whose headers were received. Raise OSError."""
    sock = socket.create_connection(("127.0.0.1", port), RESPONSE_S)
    sock.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())
    beginning, until = b"", time.monotonic() + RESPONSE_S
    while b"\r\n\r\n" not in beginning and time.monotonic() < until:
        beginning += sock.recv(65_536)
    if not beginning.startswith(b"HTTP/1.1 200 "):
        raise OSError(f"the gateway opens no stream: {beginning[:100]!r}")
    return sock


if __name__ == "__main__":
    print(json.dumps({"events": read_streams(StreamsTask(**json.loads(sys.argv[1])))}))
