"""The path of one message through the modules of the MQTT interface: ``python -m benchmarks.message_path``.

Starts mosquitto and a gateway in this process, publishes real ``face_rec`` requests one after the other, and records
each call of a function in ``gateway/mqtt/``. Consecutive calls in one module are one stay. A stay in a module that the
message has been in before is a turn back, so turns back = stays - modules.

Prints JSON. ``inbound`` is the path from the first call outside the transport to the call that hands the request to
the service; this is the path that a reader follows. ``whole`` goes on to the acknowledgement and includes the
transport. Other messages (loopback, health) may cross a request, so the path that most requests took is printed.

PYTHONPATH chooses the source tree: an older one gives the figures from before a change.
"""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Any

import click
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

import gateway.app
from device_sim.ports import free_port
from gateway.config import Settings

PACKAGE = Path(str(gateway.__file__)).parent
PICTURE = PACKAGE.parent / "device_sim" / "frames" / "obama_1.jpg"
TRANSPORT = {"connection", "link", "messages", "ledger"}
"""Names of the transport's modules before they had a package of their own."""

SERVICE = str(PACKAGE / "service")
HANDED_ON = "-> service"
WAIT_S = 60.0
BETWEEN_REQUESTS_S = 0.7
ACKNOWLEDGED_S = 0.05


class CallRecorder:
    """A profile function that records the module of each call below ``gateway/mqtt/`` while it is switched on."""

    def __init__(self) -> None:
        self.is_on = False
        self.calls: SimpleQueue[str] = SimpleQueue()
        self._modules: dict[str, str | None] = {}

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if not self.is_on or event != "call":
            return
        code = frame.f_code
        if code.co_name == "submit" and code.co_filename.startswith(SERVICE):
            self.calls.put(HANDED_ON)
        elif (module := self._module(code.co_filename)) is not None:
            self.calls.put(module)

    def take(self) -> list[str]:
        """Return the calls recorded so far, and forget them."""
        calls = []
        while not self.calls.empty():
            calls.append(self.calls.get())
        return calls

    def _module(self, filename: str) -> str | None:
        if filename not in self._modules:
            path = Path(filename)
            inside = path.is_relative_to(PACKAGE / "mqtt")
            self._modules[filename] = path.relative_to(PACKAGE / "mqtt").with_suffix("").as_posix() if inside else None
        return self._modules[filename]


def stays(calls: Sequence[str]) -> tuple[str, ...]:
    """Return the modules in the order of the calls, consecutive ones once."""
    modules = [call for call in calls if call != HANDED_ON]
    return tuple(module for n, module in enumerate(modules) if n == 0 or modules[n - 1] != module)


def inbound(calls: Sequence[str]) -> tuple[str, ...]:
    """Return the stays from the first call outside the transport to the call of the service."""
    before = list(calls[: calls.index(HANDED_ON)])
    while before and (before[0] in TRANSPORT or before[0].startswith("transport/")):
        before.pop(0)
    return stays(before)


def figures(paths: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    """Return the path that most messages took, with its counts."""
    path, messages = Counter(paths).most_common(1)[0]
    return {
        "messages": f"{messages} of {len(paths)}",
        "stays": len(path),
        "modules": len(set(path)),
        "turns_back": len(path) - len(set(path)),
        "path": path,
    }


@contextmanager
def broker_running(folder: Path) -> Iterator[int]:
    """Run mosquitto on a free port of this machine, which is returned."""
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen(["mosquitto", "-c", config], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: accepts(port))
        yield port
    finally:
        process.terminate()
        process.wait()


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise click.ClickException("The gateway or the broker did not become ready within a minute.")
        time.sleep(0.05)


@contextmanager
def gateway_running(data: Path, port: int) -> Iterator[None]:
    people = data.parent / "people"
    people.mkdir()
    settings = Settings.model_validate(
        {
            "data": data,
            "mqtt": {"host": "127.0.0.1", "port": port},
            "rest": {"port": free_port()},
            "people": {"folder": people},
        }
    )
    with gateway.app.running(settings) as running:
        wait_until(lambda: running.health().workers_ready and running.mqtt.connected)
        yield


def record(recorder: CallRecorder, port: int, requests: int) -> list[list[str]]:
    """Publish requests one after the other, and return the calls that each made."""
    replies: SimpleQueue[bytes | bytearray] = SimpleQueue()
    device = paho.Client(CallbackAPIVersion.VERSION2)
    device.on_message = lambda _client, _data, message: replies.put(message.payload)
    device.connect("127.0.0.1", port)
    device.loop_start()
    device.subscribe("facegate/camera/response/#", 1)
    picture, found = PICTURE.read_bytes(), []
    for number in range(requests):
        time.sleep(BETWEEN_REQUESTS_S)
        recorder.take()
        recorder.is_on = True
        device.publish(f"facegate/camera/request/face_rec/{number}", picture, 1)
        replies.get(timeout=WAIT_S)
        time.sleep(ACKNOWLEDGED_S)
        recorder.is_on = False
        found.append(recorder.take())
    device.disconnect()
    device.loop_stop()
    return found


@click.command()
@click.option("--requests", default=15, show_default=True, type=click.IntRange(1), help="How many are traced.")
def main(requests: int) -> None:
    """Count how often the path of a message turns back between the modules of the MQTT interface."""
    recorder = CallRecorder()
    # This comes before the gateway starts its threads: a thread takes over the profile function at its start.
    threading.setprofile(recorder)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(broker_running(folder))
        stack.enter_context(gateway_running(folder / "data", port))
        found = record(recorder, port, requests)
    result = {"inbound": figures([inbound(each) for each in found]), "whole": figures([stays(each) for each in found])}
    click.echo(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
