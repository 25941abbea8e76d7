"""The cut of a TCP connection."""

from __future__ import annotations

import contextlib
import socket
import struct

RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 s: closing a connection drops what was not sent, and resets it (socket(7))."""


def cut_connection(sock: socket.socket, *, drop_unsent: bool) -> None:
    """End both directions of a connection. Its owner notices that, and closes it.

    ``drop_unsent``: drop also the bytes that the system has taken and has not sent yet.
    """
    # The other side may have ended it.
    with contextlib.suppress(OSError):
        if drop_unsent:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        sock.shutdown(socket.SHUT_RDWR)
