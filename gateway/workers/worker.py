"""One worker process, seen from the gateway."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from gateway.errors import GatewayError, Timeout, Unavailable
from gateway.model import Seen, Task
from gateway.workers.channel import Channel
from gateway.workers.messages import read_report, write_job
from gateway.workers.options import WorkerOptions

START_S = 60
"""Loading the models takes a second or two; a Raspberry Pi with a slow card is given much more."""

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
        self.loaded = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> None:
        """Until the models are loaded. Raises Unavailable if they can't be."""
        try:
            self._channel.receive(START_S)
            self.loaded = True
        except (ConnectionError, TimeoutError):
            raise Unavailable("A worker process could not load the engine; its own words stand above.") from None

    def ask(self, pictures: tuple[bytes, ...], task: Task, timeout: float) -> tuple[Seen, ...]:
        """Raises what the worker reports, Timeout, or GatewayError if it died. After the last two it is dead."""
        end = time.monotonic() + timeout
        try:
            self._channel.send(write_job(pictures, task), timeout)
            message = self._channel.receive(max(end - time.monotonic(), 0))
        except TimeoutError:
            self.kill()
            raise Timeout(f"the picture took longer than {timeout:g} s") from None
        except ConnectionError:
            self.kill()
            raise GatewayError("the worker process died while it had this picture") from None
        return read_report(message)

    def abort(self) -> None:
        """Ends the process; may be called while another thread is in ``ask``, which then raises."""
        self._process.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._channel.close()
