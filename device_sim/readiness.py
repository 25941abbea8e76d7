"""The gateway's own word on whether it is ready: ``GET /readyz``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from device_sim.children import Child
from device_sim.errors import SimError
from device_sim.inbox import Inbox

STARTING = 120.0


@dataclass(frozen=True, slots=True)
class Status:
    """How far the start has come; pairs are (done, of)."""

    ready: bool = False
    broker: str = "connecting"
    workers: tuple[int, int] = (0, 0)
    known_faces: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        if self.ready:
            return "ready"
        workers, faces = self.workers, self.known_faces
        return f"broker {self.broker}, workers {workers[0]} of {workers[1]}, known faces {faces[0]} of {faces[1]}"


def wait_until_ready(port: int, gateway: Child, inbox: Inbox, show: Callable[[Status], None]) -> None:
    """Raises SimError if the gateway ends, or is not ready in two minutes."""
    end = time.monotonic() + STARTING
    status = Status()
    while time.monotonic() < end:
        gateway.check()
        status = ask(port) or status
        show(status)
        if status.ready:
            return
        inbox.get(0.2)
    raise SimError(f"The gateway is not ready after {STARTING:.0f} s ({status}); see {gateway.log}.")


def ask(port: int) -> Status | None:
    """None while nothing that makes sense answers. Not urllib: it would ask a proxy for 127.0.0.1."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return read(connection.getresponse().read())
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def read(body: bytes) -> Status | None:
    try:
        data = json.loads(body)
        if data["status"] == "ready":
            return Status(ready=True, broker="connected")
        workers, faces = data["workers"], data["known_faces"]
        return Status(
            broker=str(data["broker"]),
            workers=(int(workers["ready"]), int(workers["of"])),
            known_faces=(int(faces["done"]), int(faces["of"])),
        )
    except (ValueError, KeyError, TypeError):
        return None
