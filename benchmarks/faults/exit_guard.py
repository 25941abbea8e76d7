"""The clean end of a bench after SIGTERM, or after a failure in one of its own threads."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType


def install_exit_guard() -> None:
    """Unwind the main thread after SIGTERM, or if another thread fails. So all child processes are ended."""
    failed = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        # A second signal must not interrupt the ending of the child processes.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(2 if failed.is_set() else 1)

    def record_failure(args: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(args)
        failed.set()
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    threading.excepthook = record_failure
