"""A worker process without an engine, for tests of processes and jobs.

A picture is a command: ``die``, ``hang``, ``send an invalid message``, ``send a long message``, ``answer BYTES`` (the
process sends these bytes), ``write TEXT`` (to standard error), ``signal N`` (the process sends the signal to itself) or
``grow N`` (the process allocates N bytes). The result of any other picture has no faces, and the time limit of the job
as a timing. With ``grow N`` as an argument the process is large from its start. With ``unconfined`` it reports that it
is not confined.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time

from gateway.confinement.report import Confinement
from gateway.model import Analysis, Image
from gateway.workers.answers import MAX_TEXT_ANSWER_BYTES, write_report
from gateway.workers.channel import Channel
from gateway.workers.protocol import Started, read_job, write_started

_ALLOCATED: list[bytes] = []


def grow(command: bytes) -> None:
    _ALLOCATED.append(b"x" * int(command.split()[1]))


def run_command(channel: Channel, picture: bytes, limit_s: float) -> None:
    if picture == b"die":
        os._exit(1)
    elif picture == b"hang":
        time.sleep(3600)
    elif picture == b"send an invalid message":
        channel.send(b"\x81\xa8analysis\x03")
    elif picture == b"send a long message":
        channel.send(bytes(MAX_TEXT_ANSWER_BYTES + 1))
    elif picture.startswith(b"answer "):
        channel.send(picture.removeprefix(b"answer "))
    elif picture.startswith(b"signal "):
        os.kill(os.getpid(), int(picture.split()[1]))
    else:
        if picture.startswith(b"grow "):
            grow(picture)
        elif picture.startswith(b"write "):
            os.write(2, picture.removeprefix(b"write "))
        message, _ = write_report(Analysis(Image(1, 1, len(picture)), (), {"limit_s": limit_s}))
        channel.send(message)


if __name__ == "__main__":
    *commands, descriptor = sys.argv[1:]
    confinement = Confinement("a reason" if "unconfined" in commands else None)
    for command in commands:
        if command.startswith("grow"):
            grow(command.encode())
    channel = Channel(socket.socket(fileno=int(descriptor)))
    with contextlib.suppress(ConnectionError):
        channel.send(write_started(Started(confinement=confinement)))
        while True:
            _, picture_bytes, limit_s = read_job(channel.receive())
            run_command(channel, channel.receive_attachment(picture_bytes), limit_s)
