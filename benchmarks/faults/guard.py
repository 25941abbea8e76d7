"""A bench that ends early ends in order, and one whose own thread fails must not pass for a result."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType


def guard() -> None:
    """SIGTERM unwinds the main thread, so that nothing is left running; a thread of ours that fails does the same."""
    failed = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what stops the parts must not be interrupted again
        sys.exit(2 if failed.is_set() else 1)

    def tell(args: threading.ExceptHookArgs) -> None:
        threading.__excepthook__(args)
        failed.set()
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    threading.excepthook = tell
