"""A worker process without an engine: for tests in which many are killed, and that are not about pictures."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

from gateway.model import Image, Seen
from gateway.workers.channel import Channel
from gateway.workers.messages import read_job, write_report

if __name__ == "__main__":
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    with contextlib.suppress(ConnectionError):
        channel.send("ready")
        while True:
            pictures, _ = read_job(channel.receive())
            if pictures[0] == b"die":
                os._exit(1)
            if pictures[0] == b"answer with nonsense":
                channel.send({"seen": [{"image": 3}]})
            else:
                channel.send(write_report([Seen(Image(1, 1, len(picture)), (), {}) for picture in pictures]))
