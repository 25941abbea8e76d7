"""What runs in a worker process: ``python -m gateway.workers.process OPTIONS SOCKET``.

A program of its own rather than a fork or a pickled function: nothing is inherited but one socket, and neither
door is ever loaded here.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import socket
import sys

from gateway.errors import GatewayError
from gateway.model import PictureLimits, Task
from gateway.vision.engine import Engine, open_engine
from gateway.vision.tasks import run_task
from gateway.workers.channel import Channel
from gateway.workers.options import WorkerOptions
from gateway.workers.protocol import read_job, write_failure, write_report

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    words, descriptor = arguments
    options = WorkerOptions.read(words)
    channel = Channel(socket.socket(fileno=int(descriptor)))
    engine = open_engine(options.engine)
    with contextlib.closing(channel), contextlib.suppress(ConnectionError):  # the gateway is gone: so are we
        channel.send("ready")
        while True:
            picture, task, limit_s = read_job(channel.receive())
            _end_by_yourself_after(2 * limit_s + 10)
            channel.send(_answer(picture, task, engine, options.limits))
            signal.alarm(0)


def _end_by_yourself_after(seconds: float) -> None:
    """Long after the gateway would have ended us, if it still could: without Python, which a hung engine holds up."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(seconds))


def _answer(picture: bytes, task: Task, engine: Engine, limits: PictureLimits) -> dict[str, object]:
    try:
        return write_report(run_task(picture, engine, task, limits))
    except GatewayError as error:
        return write_failure(error)
    except Exception:  # the one broad boundary: a picture that upsets the engine must not end the worker
        log.exception("the engine failed")
        return write_failure(GatewayError("the engine failed on this picture"))


if __name__ == "__main__":
    main(sys.argv[1:])
