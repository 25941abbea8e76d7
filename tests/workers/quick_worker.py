"""A worker process without an engine, for tests about processes and their jobs.

A picture is an order: ``die``, ``hang``, ``answer with nonsense``, ``signal N``, which the process sends to itself, or
``grow N`` bytes, which it holds. Any other one is answered with no face, and with the job's limit as a timing. With
``grow N`` on the command line the process is large from its start.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time

from gateway.model import Analysis, Image
from gateway.workers.channel import Channel
from gateway.workers.protocol import read_job, write_report

_HELD: list[bytes] = []


def grow(order: bytes) -> None:
    _HELD.append(b"x" * int(order.split()[1]))


def obey(channel: Channel, picture: bytes, limit_s: float) -> None:
    if picture == b"die":
        os._exit(1)
    elif picture == b"hang":
        time.sleep(3600)
    elif picture == b"answer with nonsense":
        channel.send({"seen": {"image": 3}})
    elif picture.startswith(b"signal "):
        os.kill(os.getpid(), int(picture.split()[1]))
    else:
        if picture.startswith(b"grow "):
            grow(picture)
        channel.send(write_report(Analysis(Image(1, 1, len(picture)), (), {"limit_s": limit_s})))


if __name__ == "__main__":
    *large, descriptor = sys.argv[1:]
    for order in large:
        grow(order.encode())
    channel = Channel(socket.socket(fileno=int(descriptor)))
    with contextlib.suppress(ConnectionError):
        channel.send("ready")
        while True:
            picture, _, limit_s = read_job(channel.receive())
            obey(channel, picture, limit_s)
