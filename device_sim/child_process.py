"""A child process of the demo: it is started, checked and ended here."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from device_sim.errors import ChildEnded
from device_sim.parent_guard import end_with_this_process

# Time for a child process to end after SIGTERM, before it is killed.
TERMINATE_TIMEOUT_S = 10.0


class ChildProcess:
    """A child process. Its output goes to the file ``log``."""

    # The process has its own session, so that Ctrl-C reaches only the demo, which ends its children in order.

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = {**os.environ, **(environment or {})}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ChildProcess:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )
        end_with_this_process(self._process.pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(TERMINATE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # This includes the worker processes of the gateway: they are in the same session.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def pid(self) -> int:
        """The process id, within the context."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """True between the start of the process and its end."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill the process immediately, as a power failure does. ``__enter__`` starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def check(self) -> None:
        """Raise ChildEnded with the last line of the log if the process has ended."""
        if self._process is None or self._process.poll() is None:
            return
        raise ChildEnded(f"{self.name} ended unexpectedly. {self._last_line()}")

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        printed = [line.strip() for line in lines if line.strip()]
        return f"{printed[-1]} ({self.log})" if printed else f"It printed nothing ({self.log})."
