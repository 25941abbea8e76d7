"""A worker process, as the gateway controls it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from gateway.errors import GatewayError, StartError, Timeout, Unavailable
from gateway.model import Analysis, Task
from gateway.workers.channel import Channel
from gateway.workers.options import WorkerOptions
from gateway.workers.process_memory import resident_bytes
from gateway.workers.protocol import READY, read_report, write_job

START_TIMEOUT_S = 60
"""Longest time to load the models. It takes a second or two, but longer on a Raspberry Pi with a slow card."""

EXIT_TIMEOUT_S = 5.0
"""Longest wait for the exit code of a process that has closed its socket."""

_REQUESTED_EXIT_CODES = frozenset({-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGALRM})
"""Exit codes of a process that was ended on purpose, or by its own alarm: its picture is not the cause."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Environment for libraries of a worker process: there is one process for each core already."""


def _environment() -> dict[str, str]:
    """Return the environment of a worker process, without the gateway's settings."""
    # A worker process decodes pictures from anyone, so it must not have the broker's password.
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("FACEGATE_")}
    return {**inherited, **_ONE_THREAD}


def worker_command(options: WorkerOptions) -> list[str]:
    """Return the command of a worker process, without its last argument, the socket."""
    return [sys.executable, "-m", "gateway.workers.process", options.to_json()]


class Worker:
    """A worker process, started by the constructor. Not to be shared between threads.

    Call ``wait_until_ready`` before the first ``run``. ``command`` gets the number of its socket as a last argument.
    """

    def __init__(self, command: Sequence[str]) -> None:
        gateway_end, worker_end = socket.socketpair()
        # This end is closed here. Only if the child alone holds it open does its exit close the socket.
        with worker_end:
            self._process = subprocess.Popen(
                [*command, str(worker_end.fileno())],
                pass_fds=[worker_end.fileno()],
                stdin=subprocess.DEVNULL,
                env=_environment(),
                # Ctrl-C in a terminal goes to the gateway only, which then ends its worker processes.
                start_new_session=True,
            )
        self._channel = Channel(gateway_end)
        self._was_aborted = False
        self._bytes_at_start = 0
        self.loaded = False
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    @property
    def growth_bytes(self) -> int:
        """Growth of the process's memory since its models were loaded; 0 if the system does not report memory."""
        return max((resident_bytes(self.pid) or 0) - self._bytes_at_start, 0)

    @property
    def crashed(self) -> bool:
        """True if the process exited without being asked to, or was ended by a signal for a failure."""
        code = self._process.poll()
        return code is not None and not self._was_aborted and code not in _REQUESTED_EXIT_CODES

    def wait_until_ready(self) -> None:
        """Wait until the models are loaded. Raises StartError if a model cannot be used, else Unavailable."""
        try:
            found = self._channel.receive(START_TIMEOUT_S)
        except (ConnectionError, TimeoutError):
            raise Unavailable("A worker process could not load the engine: see its messages above.") from None
        if found != READY:
            raise StartError(str(found))
        self._bytes_at_start = resident_bytes(self.pid) or 0
        self.loaded = True

    def run(self, picture: bytes, task: Task, limit_s: float) -> Analysis:
        """Run a task in the process, and return its result.

        Raises the error that the process reports, Timeout after ``limit_s`` seconds, or GatewayError if the process
        exits. After Timeout and an exit the process has ended.
        """
        end = time.monotonic() + limit_s
        try:
            self._channel.send(write_job(task, len(picture), limit_s), limit_s, attachment=picture)
            message = self._channel.receive(max(end - time.monotonic(), 0))
        except TimeoutError:
            self.kill()
            raise Timeout(f"the picture took longer than {limit_s:g} s (workers.picture_s)") from None
        except ConnectionError:
            self._await_exit()
            raise GatewayError("the worker process ended unexpectedly while it analysed this picture") from None
        return read_report(message)

    def abort(self) -> None:
        """End the process without waiting. Another thread may be in ``run``, which then raises an error."""
        self._was_aborted = self._was_aborted or self.alive
        self._process.kill()

    def kill(self) -> None:
        """End the process and wait for its exit."""
        self.abort()
        self._process.wait()
        self._channel.close()

    def _await_exit(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_TIMEOUT_S)
        self.kill()
