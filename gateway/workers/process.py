"""What runs in a worker process: ``python -m gateway.workers.process ENGINE MAX_PIXELS SOCKET``.

A program of its own rather than a fork or a pickled function: nothing is inherited but one socket, and neither
door is ever loaded here.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from typing import cast

from gateway.errors import GatewayError
from gateway.model import EngineName
from gateway.vision.engine import Engine, open_engine
from gateway.vision.look import look
from gateway.workers.channel import Channel
from gateway.workers.messages import read_job, write_failure, write_report

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    name, max_pixels, descriptor = arguments
    channel = Channel(socket.socket(fileno=int(descriptor)))
    engine = open_engine(cast(EngineName, name))
    with contextlib.suppress(ConnectionError):  # the gateway is gone: so are we
        channel.send("ready")
        while True:
            channel.send(_answer(channel.receive(), engine, int(max_pixels)))


def _answer(message: dict[str, object], engine: Engine, max_pixels: int) -> dict[str, object]:
    pictures, wanted = read_job(message)
    try:
        return write_report([look(picture, engine, wanted, max_pixels) for picture in pictures])
    except GatewayError as error:
        return write_failure(error)
    except Exception:  # the one broad boundary: a picture that upsets the engine must not end the worker
        log.exception("the engine failed")
        return write_failure(GatewayError("the engine failed on this picture"))


if __name__ == "__main__":
    main(sys.argv[1:])
