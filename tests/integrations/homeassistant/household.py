"""A household: a broker, a gateway as a process of its own, cameras with real photographs, a real Home Assistant."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from PIL import Image

from tests.integrations.homeassistant.real import RealHomeAssistant
from tests.support import KNOWN_FACES, WAIT_S, Broker, Client, frame, free_port, prepare_data_folder, wait_for

FRAME_INTERVAL_S = 0.2


@cache
def film(name: str) -> Sequence[bytes]:
    """Return some frames of a scene that a hand-held camera sees: a camera that repeats one picture is frozen."""
    with Image.open(io.BytesIO(frame(name))) as picture:
        return [_shifted(picture, 4 * step) for step in (0, 1, 2, 3, 2, 1)]


def _shifted(picture: Image.Image, pixels: int) -> bytes:
    content = io.BytesIO()
    picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, pixels, 0, 1, pixels)).save(content, "JPEG")
    return content.getvalue()


class Camera:
    """A camera that sends five frames a second of a photograph, until it shows another one."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._client = Client(port)
        self._frames = film("empty_1")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def show(self, picture: str) -> None:
        self._frames = film(picture)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._client.close()

    def _send(self) -> None:
        for step in count():
            if self._stopping.wait(FRAME_INTERVAL_S):
                return
            frames = self._frames
            # The broker may be away.
            with suppress(RuntimeError):
                self._client.publish(f"facegate/{self.name}/frame", frames[step % len(frames)], qos=0)


class GatewayProcess:
    """A gateway with the project's own people. It can be killed and started again with other settings."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self._folder = folder
        self._rest_port = free_port()
        self._environment = {
            "FACEGATE_DATA": str(prepare_data_folder(folder / "data")),
            "FACEGATE_MQTT__HOST": "127.0.0.1",
            "FACEGATE_MQTT__PORT": str(broker.port),
            "FACEGATE_MQTT__TRUST_BROKER": "true",
            "FACEGATE_REST__PORT": str(self._rest_port),
            "FACEGATE_PEOPLE__FOLDER": str(KNOWN_FACES),
            "FACEGATE_WORKERS__PROCESSES": "1",
            # A visit ends soon, so that the test sees its end.
            "FACEGATE_SIGHTINGS__AGAIN_S": "4",
            "FACEGATE_LIVE__GONE_S": "1",
            "FACEGATE_LIVE__CAMERA_LOST_S": "10",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        """Start the gateway, and wait until it is ready. ``settings``: environment variables without FACEGATE_."""
        changes = {f"FACEGATE_{name}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "gateway", "run", "--config", os.devnull]
        with (self._folder / "gateway.log").open("ab") as log:
            env = {**os.environ, **self._environment, **changes}
            self._process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        wait_for(self._is_ready, 2 * WAIT_S)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(WAIT_S)
            self._process = None

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "gateway.log").read_text()[-3000:]
        command = ["curl", "-sf", f"http://127.0.0.1:{self._rest_port}/readyz"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Household:
    """All of them together."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        for each in ("gateway", "homeassistant"):
            (folder / each).mkdir()
        self.broker = broker
        self.gateway = GatewayProcess(folder / "gateway", broker)
        self.homeassistant = RealHomeAssistant(folder / "homeassistant", broker.port)
        self.cameras: dict[str, Camera] = {}

    def start(self) -> None:
        self.gateway.start()
        self.homeassistant.start()
        self.add_cameras()

    def add_cameras(self) -> None:
        self.cameras = {name: Camera(name, self.broker.port) for name in ("porch", "yard")}

    def stop_cameras(self) -> None:
        for camera in self.cameras.values():
            camera.stop()
        self.cameras = {}

    def stop(self) -> None:
        self.stop_cameras()
        self.homeassistant.stop()
        self.gateway.stop()

    def ask(self, operation: str, **fields: object) -> Mapping[str, Any]:
        """Let an administrator ask for an operation, and return the reply."""
        request = {"transaction": os.urandom(8).hex(), **fields}
        with closing(Client(self.broker.port).subscribe("facegate/bridge/response/#")) as administrator:
            administrator.publish(f"facegate/bridge/request/{operation}", json.dumps(request).encode())
            reply = administrator.get().json
        assert reply["status"] == "ok", reply
        found: Mapping[str, Any] = reply["data"]
        return found
