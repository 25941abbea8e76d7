"""The program of a worker process: ``python -m gateway.workers.process OPTIONS SOCKET``.

The process is a separate program, not a fork. It inherits nothing but one socket, and loads neither the MQTT nor the
REST interface.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import socket
import sys

from gateway.errors import GatewayError, StartError
from gateway.model import PictureLimits, Task
from gateway.vision.engine import Engine
from gateway.vision.engines.registry import open_engine
from gateway.vision.tasks import run_task
from gateway.workers.channel import Channel
from gateway.workers.options import WorkerOptions
from gateway.workers.protocol import READY, read_job, write_failure, write_report

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    """Run the tasks that arrive on the socket until the gateway closes it."""
    text, descriptor = arguments
    options = WorkerOptions.from_json(text)
    channel = Channel(socket.socket(fileno=int(descriptor)))
    # The process ends when the gateway closes the socket.
    with contextlib.closing(channel), contextlib.suppress(ConnectionError):
        try:
            engine = open_engine(options.engine)
        except StartError as error:
            channel.send(str(error))
            return
        channel.send(READY)
        while True:
            task, picture_bytes, limit_s = read_job(channel.receive())
            picture = channel.receive_attachment(picture_bytes)
            _set_alarm(2 * limit_s + 10)
            channel.send(_result(picture, task, engine, options.limits))
            signal.alarm(0)


def _set_alarm(seconds: float) -> None:
    """Let the system end this process if a picture takes far too long and the gateway is no longer there to do so."""
    # The default action of the signal needs no Python code, which an engine that hangs would block.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(seconds))


def _result(picture: bytes, task: Task, engine: Engine, limits: PictureLimits) -> dict[str, object]:
    try:
        return write_report(run_task(picture, engine, task, limits))
    except GatewayError as error:
        return write_failure(error)
    # The engine may raise anything for a strange picture. That must not end the process.
    except Exception:
        log.exception("the engine failed")
        return write_failure(GatewayError("the engine failed on this picture"))


if __name__ == "__main__":
    main(sys.argv[1:])
