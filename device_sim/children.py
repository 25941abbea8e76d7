"""The processes that the demo starts, and ends: those and no others."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from device_sim.errors import ChildEnded

# What a child gets to end in order after SIGTERM, before it is killed.
GRACE = 10.0


class Child:
    """A process in a session of its own, so that Ctrl-C reaches only us and we end things in order.

    All that it prints goes to the file ``log``, in which its last words are looked up should it end early.
    """

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

    def __enter__(self) -> Child:
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
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            # With its workers: they are in its session, and nobody else is.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def check(self) -> None:
        """Raises ChildEnded, with the child's last words, once it runs no more."""
        if self._process is None or self._process.poll() is None:
            return
        raise ChildEnded(f"{self.name} ended by itself. {self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"{said[-1]} ({self.log})" if said else f"It said nothing ({self.log})."
