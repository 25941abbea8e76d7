"""Helpers of many tests: a real broker, an MQTT client that waits, and the project's pictures."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from device_sim.parent_guard import end_with_this_process
from gateway.vision.engines.conversion import converted_models_folder
from gateway.workers.conversion import ensure_converted

ROOT = Path(__file__).parent.parent
FRAMES = ROOT / "device_sim" / "frames"
KNOWN_FACES = ROOT / "known_faces"
SHARED = ROOT.parent / "shared" / "data"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")

WAIT_S = 60
"""The longest wait for anything that must come, also on a machine that is busy with other work."""


def frame(name: str) -> bytes:
    return (FRAMES / f"{name}.jpg").read_bytes()


PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
"""The number of this process of pytest-xdist, and of all of them. Each of them uses other ports."""

# Other ports than those of device_sim/ports.py.
_MINE = range(10_000 + PROCESS, 21_000, PROCESSES)
_PORTS = iter(random.sample(_MINE, len(_MINE)))


def free_port() -> int:
    """Return a free TCP port of this machine."""
    # No port is returned twice, and the kernel gives ports from 32768 on to outgoing connections (ip(7)). So the port
    # is still free when the test uses it.
    for port in _PORTS:
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def wait_for(condition: Any, seconds: float = WAIT_S) -> None:
    """Wait until the condition is true. The test fails if that takes longer than ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{condition} did not come true in {seconds} s"
        time.sleep(0.02)


def set_clock(patch: pytest.MonkeyPatch, module: ModuleType, **functions: Callable[..., Any]) -> None:
    """Replace functions of ``time`` in one module. The threads of a gateway of other tests keep the real clock."""
    patch.setattr(module, "time", SimpleNamespace(**{**vars(time), **functions}))


def holds_in_any_try(holds: Callable[[], bool], tries: int = 5) -> bool:
    """Return whether a condition about time is true in one of several tries: on a busy machine some tries fail."""
    return any(holds() for _ in range(tries))


MODELS_VARIABLE = "TESTS_MODELS_FOLDER"


def models_folder() -> Path:
    """Return the folder for the converted networks.

    The first process creates the folder, passes its path to the processes that it starts (pytest-xdist), and removes it
    at its end.
    """
    if MODELS_VARIABLE not in os.environ:
        os.environ[MODELS_VARIABLE] = folder = tempfile.mkdtemp(prefix="facegate-tests-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(os.environ[MODELS_VARIABLE])


@cache
def models() -> Path:
    """Return the folder of dlib's networks, which are converted once for all tests."""
    with (models_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return ensure_converted(models_folder())


def prepare_data_folder(data: Path) -> Path:
    """Create a data folder in which a gateway finds the converted networks, and return it."""
    folder = converted_models_folder(data)
    if not folder.exists():
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.parent.mkdir()
        folder.symlink_to(models())
    return data


@contextmanager
def paused_processes(pids: Iterable[int]) -> Iterator[None]:
    """Pause worker processes: each takes a job, and continues with it after the context."""
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):  # killed meanwhile
                os.kill(pid, signal.SIGCONT)


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


RELOADS = "Reloading config"
"""The begin of the line that mosquitto logs when it reads its configuration again."""


class Broker:
    """mosquitto with the project's configuration, or amqtt (without MQTT 5) if mosquitto is not installed."""

    def __init__(self, folder: Path, port: int | None = None, extra: str = "") -> None:
        self.port = port or free_port()
        self.mqtt5 = MOSQUITTO is not None
        self._folder = folder
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "device_sim.broker", "--port", str(self.port)]
        if MOSQUITTO:
            config = self._folder / "mosquitto.conf"
            # Otherwise mosquitto becomes another user, who cannot save the sessions here.
            own = "" if os.geteuid() or "user root" in self._extra else "\nuser root\n"
            config.write_text((ROOT / "config" / "mosquitto.conf").read_text() + own + self._extra)
            command = [MOSQUITTO, "-c", str(config), *([] if self._extra else ["-p", str(self.port)])]
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        end_with_this_process(self._process.pid)
        wait_for(lambda: accepts(self.port))

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(WAIT_S)
            self._process = None

    def reload(self) -> None:
        """Let mosquitto read its ACL again."""
        assert self._process is not None
        log = self._folder / "broker.log"
        before = log.read_text().count(RELOADS)
        self._process.send_signal(signal.SIGHUP)
        wait_for(lambda: log.read_text().count(RELOADS) > before)


@contextmanager
def broker_running(folder: Path, port: int | None = None, extra: str = "") -> Iterator[Broker]:
    """Run a broker. ``extra``: more lines of mosquitto.conf, which must then name the listener too."""
    broker = Broker(folder, port, extra)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@dataclass(frozen=True, slots=True)
class Message:
    topic: str
    payload: bytes
    retain: bool
    qos: int
    properties: dict[str, Any]

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.payload)
        return document


class Client:
    """A device that publishes, and waits for messages on the topics to which it has subscribed."""

    def __init__(
        self,
        port: int,
        protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
        login: tuple[str, str] | None = None,
        ca: Path | None = None,
    ) -> None:
        """``ca``: the authority that signed the broker's certificate, which is for ``localhost``."""
        self._filters: list[str] = []
        self._received: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._subscribed: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self._client.on_message = self._message
        self._client.on_subscribe = lambda _client, _data, mid, _codes, _props: self._subscribed.put(mid)
        if login is not None:
            self._client.username_pw_set(*login)
        if ca is not None:
            self._client.tls_set(str(ca))
        self._client.connect("127.0.0.1" if ca is None else "localhost", port)
        self._client.loop_start()

    def subscribe(self, *topics: str) -> Client:
        self._filters += topics
        self._client.subscribe([(topic, 1) for topic in topics])
        self._subscribed.get(timeout=WAIT_S)
        return self

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, properties: Properties | None = None
    ) -> None:
        self._client.publish(topic, payload, qos, retain, properties).wait_for_publish(WAIT_S)

    def get(self, seconds: float = WAIT_S) -> Message:
        """Return the next message. Raises queue.Empty if none comes."""
        return self._received.get(timeout=seconds)

    def nothing_comes(self, seconds: float = 1) -> bool:
        try:
            self.get(seconds)
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # or the pair by which its threads wake each other waits to be collected

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if not any(paho.topic_matches_sub(wanted, message.topic) for wanted in self._filters):
            return  # amqtt sends what is retained to who never asked for it
        found = message.properties.json() if message.properties is not None else {}
        self._received.put(Message(message.topic, bytes(message.payload), message.retain, message.qos, found))
