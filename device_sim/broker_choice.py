"""The choice of the demo's broker: a running one if it accepts connections, otherwise one that the demo starts."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device_sim.child_process import ChildProcess
from device_sim.connection import Broker, Connection
from device_sim.errors import SimError, Unreachable
from device_sim.inbox import Inbox
from device_sim.ports import free_port

BROKER_KINDS = ("auto", "mosquitto", "amqtt")
# Debian installs mosquitto in a folder that is only in root's PATH.
MOSQUITTO_PATHS = ("mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")
CONNECT_TIMEOUT_S = 2.0
START_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class BrokerChoice:
    """The chosen broker. ``own``: the kind of broker to start, None for a running one. ``why``: for the terminal."""

    broker: Broker
    own: str | None
    why: str

    def __str__(self) -> str:
        return f"{self.own or 'the broker'} on port {self.broker.port}"


def choose_broker(kind: str, port: int) -> BrokerChoice:
    """Choose a running broker, or the kind of broker to start. Raises SimError if there is neither."""
    existing = Broker(port=port)
    refusal = find_refusal(existing)
    if refusal is None and kind == "auto":
        return BrokerChoice(existing, None, f"Broker: the one that already runs on port {port}.")
    own, why = _installed(port) if kind == "auto" else (kind, "")
    if isinstance(refusal, Unreachable):
        return BrokerChoice(existing, own, f"Broker: {own}, started on port {port}{why}.")
    free = free_port()
    taken = refusal or "another broker uses it, and --broker says to start one."
    return BrokerChoice(
        Broker(port=free), own, f"Broker: {own}, started on port {free}{why}. Port {port} is taken: {taken}"
    )


@contextmanager
def run_broker(choice: BrokerChoice, *, conf: Path, log: Path, inbox: Inbox) -> Iterator[ChildProcess | None]:
    """Start the chosen broker, unless it is already running, and wait until it accepts connections."""
    if choice.own is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="facegate-broker-") as folder:
        # mosquitto writes its state into its working folder. amqtt writes none, and Python may find it only from here.
        working_folder = Path(folder) if choice.own == "mosquitto" else None
        command = _command(choice.own, conf, choice.broker.port)
        with ChildProcess(choice.own, command, log=log, folder=working_folder) as child:
            _wait(choice.broker, child, inbox)
            yield child


def find_refusal(broker: Broker) -> SimError | None:
    """Return the reason why the broker cannot be used, or None."""
    try:
        with Connection(broker, f"demo-{secrets.token_hex(4)}", connect_timeout_s=CONNECT_TIMEOUT_S):
            return None
    except SimError as error:
        return error


def _wait(broker: Broker, child: ChildProcess, inbox: Inbox) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while (refusal := find_refusal(broker)) is not None:
        child.check()
        if time.monotonic() > end:
            raise refusal
        inbox.get(0.1)


def _installed(port: int) -> tuple[str, str]:
    if find_mosquitto():
        return "mosquitto", ""
    if importlib.util.find_spec("amqtt"):
        return "amqtt", " because mosquitto is not installed"
    raise SimError(f"No broker runs on port {port}, and neither mosquitto nor amqtt is installed to start one.")


def find_mosquitto() -> str | None:
    """Return the path of mosquitto if it is installed."""
    return next((found for path in MOSQUITTO_PATHS if (found := shutil.which(path))), None)


def _command(kind: str, conf: Path, port: int) -> list[str]:
    if kind == "amqtt":
        return [sys.executable, "-m", "device_sim.broker", "--port", str(port)]
    program = find_mosquitto()
    if program is None:
        raise SimError("mosquitto is not installed.")
    return [program, "-c", str(conf.resolve()), "-p", str(port)]
