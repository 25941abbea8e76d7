"""Free TCP ports of this machine for servers that a program starts."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

from device_sim.errors import SimError

PORTS = range(21_000, 32_000)
"""The ports from which servers get theirs."""

_UNUSED = iter(random.sample(PORTS, len(PORTS)))


def free_port() -> int:
    """Return a free TCP port of 127.0.0.1 that stays free while its server is stopped. Raise SimError.

    One process gets no port twice. Two processes may get the same one until its server listens.
    """
    # The kernel gives ports from 32768 on to outgoing connections (ip(7)): one of them could take the port of a server
    # that is stopped, or even connect to itself.
    for port in _UNUSED:
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise SimError(f"No port from {PORTS.start} to {PORTS.stop - 1} is free.")
