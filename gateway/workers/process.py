"""The program of a worker process: ``python -m gateway.workers.process OPTIONS SOCKET``.

The process is a separate program, not a fork. It inherits nothing but one socket, and loads neither the MQTT nor the
REST interface. It decodes pictures from anyone, so it is confined before the first of them (confined.py).
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import socket
import sys

from gateway.confinement.report import Confinement
from gateway.errors import GatewayError, StartError
from gateway.logs import configure
from gateway.model import PictureLimits, Task
from gateway.vision.engine import Engine
from gateway.vision.engines.registry import open_engine
from gateway.vision.tasks import load_libraries, run_task
from gateway.workers.answers import write_failure, write_report
from gateway.workers.channel import Channel
from gateway.workers.confined import restrict_loading, restrict_working
from gateway.workers.options import WorkerOptions
from gateway.workers.protocol import Started, read_job, write_started

# As a program this module has the name __main__, which no limit of the log knows.
log = logging.getLogger("gateway.workers.process")


def main(arguments: list[str]) -> None:
    """Run the tasks that arrive on the socket until the gateway closes it."""
    text, descriptor = arguments
    options = WorkerOptions.from_json(text)
    configure("INFO")
    channel = Channel(socket.socket(fileno=int(descriptor)))
    # The process ends when the gateway closes the socket.
    with contextlib.closing(channel), contextlib.suppress(ConnectionError):
        try:
            engine, confinement = _load(options)
        except StartError as error:
            channel.send(write_started(Started(str(error))))
            return
        channel.send(write_started(Started(confinement=confinement)))
        while True:
            _serve_job(channel, engine, options.limits)


def _serve_job(channel: Channel, engine: Engine, limits: PictureLimits) -> None:
    """Do the next job. Afterwards nothing of its picture is referenced while the process waits for another one."""
    task, picture_bytes, limit_s = read_job(channel.receive())
    picture = channel.receive_attachment(picture_bytes)
    _set_alarm(2 * limit_s + 10)
    message, drawn = _result(picture, task, engine, limits)
    channel.send(message, attachment=drawn)
    signal.alarm(0)


def _load(options: WorkerOptions) -> tuple[Engine, Confinement]:
    """Load the engine, and confine the process unless the options forbid it. Raises StartError."""
    load_libraries()
    if not options.confined:
        return open_engine(options.engine), Confinement(*["workers.confined is false"] * 2)
    files = restrict_loading(options)
    engine = open_engine(options.engine)
    return engine, Confinement(restrict_working(options), files)


def _set_alarm(seconds: float) -> None:
    """Let the system end this process if a picture takes far too long and the gateway is no longer there to do so."""
    # The default action of the signal needs no Python code, which an engine that hangs would block.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(math.ceil(seconds))


def _result(picture: bytes, task: Task, engine: Engine, limits: PictureLimits) -> tuple[bytes, bytes]:
    """Return the message for the result, and the drawing that follows it."""
    try:
        return write_report(run_task(picture, engine, task, limits))
    except GatewayError as error:
        return write_failure(error), b""
    # The engine may raise anything for a strange picture. That must not end the process.
    except Exception:
        log.exception("the engine failed")
        return write_failure(GatewayError("the engine failed on this picture")), b""


if __name__ == "__main__":
    main(sys.argv[1:])
