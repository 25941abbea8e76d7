"""The program that ends processes when its own parent dies, as `parent_guard` starts it.

It reads one JSON object a line: the id of a process, the number of a signal, and a folder or null. At the end of its
input it sends the signals, waits for these processes, and deletes their folders. It needs only Python's own modules, so
that it starts quickly from any folder.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import sys
import time
from contextlib import suppress

END_TIMEOUT_S = 20.0
"""The time for a process to end after its signal, before it is killed."""


class Watched:
    """A process that ends with the parent. Its file descriptor means this process, also if its id is used again."""

    def __init__(self, pid: int, number: int, folder: str | None) -> None:
        self.fd = os.pidfd_open(pid)
        self.number = number
        self.folder = folder

    def send(self, number: int) -> None:
        """Send a signal. Do nothing if the process has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fd, number)

    def wait(self, deadline: float) -> None:
        """Wait for the end of the process, and kill it at the deadline. Delete the folder."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.fd, selectors.EVENT_READ)
            if not selector.select(max(deadline - time.monotonic(), 0)):
                self.send(signal.SIGKILL)
                selector.select()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def watch() -> list[Watched]:
    """Read the input until its end. Return the processes that run then."""
    watched: dict[int, Watched] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        unread = b""
        while True:
            for key, _ in selector.select():
                if key.fd in watched:
                    # The process has ended by itself.
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    del watched[key.fd]
                    continue
                received = os.read(sys.stdin.fileno(), 65_536)
                if not received:
                    return list(watched.values())
                *lines, unread = (unread + received).split(b"\n")
                for line in lines:
                    with suppress(ProcessLookupError):
                        new = Watched(**json.loads(line))
                        watched[new.fd] = new
                        selector.register(new.fd, selectors.EVENT_READ)


def main() -> None:
    # The signals that end the parent may reach the whole group, for example from a terminal.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watched = watch()
    deadline = time.monotonic() + END_TIMEOUT_S
    for each in watched:
        each.send(each.number)
    for each in watched:
        each.wait(deadline)


if __name__ == "__main__":
    main()
