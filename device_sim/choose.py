"""Which broker the demo uses: the one that runs already if it lets us in, else one of its own."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device_sim.children import Child
from device_sim.errors import SimError, Unreachable
from device_sim.inbox import Inbox
from device_sim.link import Broker, Link

KINDS = ("auto", "mosquitto", "amqtt")
# Debian keeps mosquitto where only root's PATH has it.
MOSQUITTO_PATHS = ("mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
PATIENCE = 2.0
STARTING = 15.0


@dataclass(frozen=True, slots=True)
class Choice:
    """``own`` is the kind of broker to start, None for one that already runs; ``why`` is for the terminal."""

    broker: Broker
    own: str | None
    why: str

    def __str__(self) -> str:
        return f"{self.own or 'the broker'} on port {self.broker.port}"


def choose(kind: str, port: int) -> Choice:
    """Looks before it starts anything. Raises SimError where there is no broker to start."""
    there = Broker(port=port)
    refusal = try_out(there)
    if refusal is None and kind == "auto":
        return Choice(there, None, f"Broker: the one that already runs on port {port}.")
    own, why = _installed(port) if kind == "auto" else (kind, "")
    if isinstance(refusal, Unreachable):
        return Choice(there, own, f"Broker: {own}, started on port {port}{why}.")
    free = free_port()
    taken = refusal or "A broker that we were told not to use has it."
    return Choice(Broker(port=free), own, f"Broker: {own}, started on port {free}{why}. Port {port} is taken: {taken}")


@contextmanager
def running(choice: Choice, *, conf: Path, log: Path, inbox: Inbox) -> Iterator[Child | None]:
    """Starts the chosen broker, unless it runs already, and waits until it accepts connections."""
    if choice.own is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="facegate-broker-") as folder:
        # mosquitto writes its state where it stands; amqtt writes none, and may have to be found from here.
        stand = Path(folder) if choice.own == "mosquitto" else None
        command = _command(choice.own, conf, choice.broker.port)
        with Child(choice.own, command, log=log, folder=stand) as child:
            _wait(choice.broker, child, inbox)
            yield child


def try_out(broker: Broker) -> SimError | None:
    """Why it cannot be used, or None."""
    try:
        with Link(broker, f"demo-{secrets.token_hex(4)}", patience=PATIENCE):
            return None
    except SimError as error:
        return error


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait(broker: Broker, child: Child, inbox: Inbox) -> None:
    end = time.monotonic() + STARTING
    while (refusal := try_out(broker)) is not None:
        child.check()
        if time.monotonic() > end:
            raise refusal
        inbox.get(0.1)


def _installed(port: int) -> tuple[str, str]:
    if mosquitto():
        return "mosquitto", ""
    if importlib.util.find_spec("amqtt"):
        return "amqtt", ", since mosquitto is not installed"
    raise SimError(f"No broker runs on port {port}, and neither mosquitto nor amqtt is installed to start one.")


def mosquitto() -> str | None:
    """Where it is installed, if it is."""
    return next((found for path in MOSQUITTO_PATHS if (found := shutil.which(path))), None)


def _command(kind: str, conf: Path, port: int) -> list[str]:
    if kind == "amqtt":
        return [sys.executable, "-m", "device_sim.broker", "--port", str(port)]
    program = mosquitto()
    if program is None:
        raise SimError("mosquitto is not installed.")
    return [program, "-c", str(conf.resolve()), "-p", str(port)]
