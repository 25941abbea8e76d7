"""One worker process, seen from the gateway."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from gateway.errors import GatewayError, Timeout, Unavailable
from gateway.model import Analysis, Task
from gateway.workers.channel import Channel
from gateway.workers.options import WorkerOptions
from gateway.workers.process_memory import resident_bytes
from gateway.workers.protocol import read_report, write_job

START_S = 60
"""Loading the models takes a second or two; a Raspberry Pi with a slow card is given much more."""

EXIT_S = 5.0
"""For a process that closed its socket to be gone, so that its exit code tells why."""

_TOLD_TO_END = frozenset({-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGALRM})
"""Exit codes of a process that somebody, or its own alarm, ended: the picture that it had is no reason."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""There is a process for each core already."""


def _environment() -> dict[str, str]:
    """Ours without our settings: a worker decodes what strangers send and needs no broker's password."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("FACEGATE_")}
    return {**kept, **_ONE_THREAD}


def worker_command(options: WorkerOptions) -> list[str]:
    return [sys.executable, "-m", "gateway.workers.process", options.write()]


class Worker:
    """Starts the process; ``wait`` for it before the first ``ask``. Not to be shared between threads.

    ``command`` is given the number of its end of the socket as a last argument.
    """

    def __init__(self, command: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:  # only the child may keep that end open, or its death would not be seen here
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C in a terminal is for the gateway, which then ends its workers
            )
        self._channel = Channel(ours)
        self._ended_by_us = False
        self._bytes_at_start = 0
        self.loaded = False
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def growth_bytes(self) -> int:
        """Memory that the process took since its models were loaded; 0 where the system does not tell."""
        return max((resident_bytes(self.pid) or 0) - self._bytes_at_start, 0)

    @property
    def crashed(self) -> bool:
        """The process ended by itself, or by a signal such as the system sends to one that fails."""
        code = self._process.poll()
        return code is not None and not self._ended_by_us and code not in _TOLD_TO_END

    def wait(self) -> None:
        """Until the models are loaded. Raises Unavailable if they can't be."""
        try:
            self._channel.receive(START_S)
            self._bytes_at_start = resident_bytes(self.pid) or 0
            self.loaded = True
        except (ConnectionError, TimeoutError):
            raise Unavailable("A worker process could not load the engine; its own words stand above.") from None

    def ask(self, picture: bytes, task: Task, limit_s: float) -> Analysis:
        """Raises the error that the worker reports, Timeout, or GatewayError if it died. After these two it is dead."""
        end = time.monotonic() + limit_s
        try:
            self._channel.send(write_job(picture, task, limit_s), limit_s)
            message = self._channel.receive(max(end - time.monotonic(), 0))
        except TimeoutError:
            self.kill()
            raise Timeout(f"the picture took longer than {limit_s:g} s (workers.picture_s)") from None
        except ConnectionError:
            self._await_exit()
            raise GatewayError("the worker process died while it had this picture") from None
        return read_report(message)

    def abort(self) -> None:
        """End the process; may be called while another thread is in ``ask``, which then raises."""
        self._ended_by_us = self._ended_by_us or self.alive
        self._process.kill()

    def kill(self) -> None:
        self.abort()
        self._process.wait()
        self._channel.close()

    def _await_exit(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_S)
        self.kill()
