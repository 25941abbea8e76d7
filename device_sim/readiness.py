"""The readiness of the gateway, as ``GET /readyz`` reports it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from device_sim.child_process import ChildProcess
from device_sim.errors import SimError
from device_sim.inbox import Inbox

START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Status:
    """The progress of the gateway's start. Pairs are (done, total)."""

    ready: bool = False
    broker: str = "connecting"
    workers: tuple[int, int] = (0, 0)
    known_faces: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        if self.ready:
            return "ready"
        workers, faces = self.workers, self.known_faces
        return f"broker {self.broker}, workers {workers[0]} of {workers[1]}, known faces {faces[0]} of {faces[1]}"


def wait_until_ready(port: int, gateway: ChildProcess, inbox: Inbox, show: Callable[[Status], None]) -> None:
    """Wait until the gateway is ready. Raises SimError if it ends, or is not ready within START_TIMEOUT_S."""
    end = time.monotonic() + START_TIMEOUT_S
    status = Status()
    while time.monotonic() < end:
        gateway.check()
        status = ask(port) or status
        show(status)
        if status.ready:
            return
        inbox.get(0.2)
    raise SimError(f"The gateway is not ready after {START_TIMEOUT_S:.0f} s ({status}); see {gateway.log}.")


def ask(port: int) -> Status | None:
    """Return the gateway's status, or None without a valid answer."""
    # urllib is not used, because it would send requests for 127.0.0.1 to a proxy.
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return read(connection.getresponse().read())
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def read(body: bytes) -> Status | None:
    """Return the status in the body of an answer, or None if it is invalid."""
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
