"""The messages that a worker process writes to its standard output and standard error, for the gateway's log.

They may come from a process that a picture has taken over. So they are cut, limited in number and marked as a worker's,
and cannot look like a line of the gateway's log or control a terminal.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import IO

log = logging.getLogger(__name__)

MAX_MESSAGE_CHARACTERS = 4000
"""The end of a message that is logged. A traceback ends with its cause."""

COLLECTION_S = 0.05
"""Time after the first bytes in which the rest of a message is collected."""

_BLOCK_BYTES = 1 << 16


def forward_messages(stream: IO[bytes], pid: int) -> threading.Thread:
    """Log the messages of the worker process ``pid`` until it closes the stream, in a thread of its own."""
    thread = threading.Thread(target=_forward, args=(stream, pid), name=f"messages-{pid}", daemon=True)
    thread.start()
    return thread


def _forward(stream: IO[bytes], pid: int) -> None:
    with stream:
        while first := os.read(stream.fileno(), _BLOCK_BYTES):
            time.sleep(COLLECTION_S)
            os.set_blocking(stream.fileno(), False)
            text = (first + (stream.read(_BLOCK_BYTES) or b"")).decode(errors="replace")
            os.set_blocking(stream.fileno(), True)
            _log(text, pid)


def _log(text: str, pid: int) -> None:
    # The text stands where a traceback would, so that the formatter indents its lines and escapes the rest.
    record = log.makeRecord(
        log.name,
        logging.WARNING,
        __file__,
        0,
        "worker process %d wrote:",
        (pid,),
        None,
        sinfo=text.strip()[-MAX_MESSAGE_CHARACTERS:],
    )
    log.handle(record)
