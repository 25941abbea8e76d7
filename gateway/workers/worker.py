"""A worker process, as the gateway controls it."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from gateway.confinement.report import Confinement
from gateway.errors import GatewayError, StartError, Timeout, Unavailable
from gateway.model import Analysis, Task
from gateway.model.recipes import DLIB_DIMENSIONS
from gateway.workers.answers import most_answer_bytes, most_drawing_bytes, read_report
from gateway.workers.channel import Channel
from gateway.workers.environment import process_environment, python_command
from gateway.workers.messages import forward_messages
from gateway.workers.options import WorkerOptions
from gateway.workers.process_state import resident_bytes
from gateway.workers.protocol import MAX_STARTED_BYTES, read_started, write_job

START_TIMEOUT_S = 60
"""Longest time to load the models. It takes a second or two, but longer on a Raspberry Pi with a slow card."""

EXIT_TIMEOUT_S = 5.0
"""Longest wait for the exit code of a process that has closed its socket."""

MESSAGES_TIMEOUT_S = 1.0
"""Longest wait for the last messages of a process that has ended."""

_REQUESTED_EXIT_CODES = frozenset({-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGALRM})
"""Exit codes of a process that was ended on purpose, or by its own alarm: its picture is not the cause."""


def worker_command(options: WorkerOptions) -> list[str]:
    """Return the command of a worker process, without its last argument, the socket."""
    return [*python_command("gateway.workers.process"), options.to_json()]


class Worker:
    """A worker process, started by the constructor. Not to be shared between threads.

    Call ``wait_until_ready`` before the first ``run``. ``command`` gets the number of its socket as a last argument.
    ``dimensions``: the number of dimensions of a descriptor. ``confinement``: known when the process is ready.
    ``started``, ``first_job``: moments on the clock of ``time.monotonic``.
    """

    def __init__(self, command: Sequence[str], dimensions: int = DLIB_DIMENSIONS) -> None:
        gateway_end, worker_end = socket.socketpair()
        # This end is closed here. Only if the child alone holds it open does its exit close the socket.
        with worker_end:
            self._process = subprocess.Popen(
                [*command, str(worker_end.fileno())],
                pass_fds=[worker_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env=process_environment(),
                # Ctrl-C in a terminal goes to the gateway only, which then ends its worker processes.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._messages = forward_messages(self._process.stdout, self.pid)
        self._channel = Channel(gateway_end)
        self._dimensions = dimensions
        self._was_aborted = False
        self._bytes_at_start = 0
        self.loaded = False
        self.first_job: float | None = None
        self.confinement = Confinement()
        self.started = time.monotonic()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process.poll() is None

    @property
    def has_answered(self) -> bool:
        """True if ``wait_until_ready`` would not wait: the process has sent something, or has exited."""
        return self._channel.has_data

    @property
    def growth_bytes(self) -> int:
        """Growth of the process's memory since its models were loaded; 0 if the system does not report memory."""
        return max(self.resident_bytes - self._bytes_at_start, 0)

    @property
    def resident_bytes(self) -> int:
        """The memory of the process; 0 if it has ended, or if the system does not report memory."""
        return resident_bytes(self.pid) or 0

    @property
    def crashed(self) -> bool:
        """True if the process exited without being asked to, or was ended by a signal for a failure."""
        code = self._process.poll()
        return code is not None and not self._was_aborted and code not in _REQUESTED_EXIT_CODES

    def wait_until_ready(self) -> None:
        """Wait until the models are loaded. Raises StartError if a model cannot be used, else Unavailable."""
        try:
            started = read_started(self._channel.receive(START_TIMEOUT_S, most_bytes=MAX_STARTED_BYTES))
        except (ConnectionError, TimeoutError, ValueError):
            self._messages.join(MESSAGES_TIMEOUT_S)
            raise Unavailable("A worker process could not load the engine: see its messages above.") from None
        if started.error is not None:
            raise StartError(started.error)
        self.confinement = started.confinement
        self._bytes_at_start = self.resident_bytes
        self.loaded = True

    def run(self, picture: bytes, task: Task, limit_s: float) -> Analysis:
        """Run a task in the process, and return its result.

        Raises the error that the process reports, Timeout after ``limit_s`` seconds, GatewayError if the process exits,
        and ValueError if its answer is none. After Timeout and an exit the process has ended.
        """
        self.first_job = self.first_job or time.monotonic()
        end = time.monotonic() + limit_s
        try:
            self._channel.send(write_job(task, len(picture), limit_s), limit_s, attachment=picture)
            return self._receive_result(task, end)
        except TimeoutError:
            self.kill()
            raise Timeout(f"the picture took longer than {limit_s:g} s (workers.picture_s)") from None
        except ConnectionError:
            self._await_exit()
            raise GatewayError("the worker process ended unexpectedly while it analysed this picture") from None

    def abort(self) -> None:
        """End the process without waiting. Another thread may be in ``run``, which then raises an error."""
        self._was_aborted = self._was_aborted or self.alive
        self._process.kill()

    def end_as_crashed(self) -> None:
        """End the process without waiting, because of what it did: ``crashed`` is true then."""
        self._process.kill()

    def kill(self) -> None:
        """End the process and wait for its exit."""
        self.abort()
        self._process.wait()
        self._channel.close()

    def _receive_result(self, task: Task, end: float) -> Analysis:
        """Return the result of a task. ``end``: the moment on the clock ``time.monotonic`` until which it may take."""
        answer = self._channel.receive(max(end - time.monotonic(), 0), most_bytes=most_answer_bytes(task))
        analysis, drawn_bytes = read_report(answer, self._dimensions)
        most_bytes, left_s = most_drawing_bytes(task), max(end - time.monotonic(), 0)
        if (drawn_bytes > 0) != (most_bytes > 0):
            raise ValueError(f"expected a drawing of up to {most_bytes} bytes, found {drawn_bytes}")
        if not drawn_bytes:
            return analysis
        return replace(analysis, drawn=self._channel.receive_attachment(drawn_bytes, left_s, most_bytes=most_bytes))

    def _await_exit(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_TIMEOUT_S)
        self.kill()
