"""A live camera over MQTT, whose frames give the event streams something to send."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.rest.setup import PICTURES
from device_sim.connection import Broker, Connection

FRAMES_PER_S = 2.0
CAMERA = "bench"


@contextmanager
def live_camera(port: int) -> Iterator[None]:
    """Let a camera publish frames to the broker at a port of this machine."""
    ended = threading.Event()

    def publish(connection: Connection) -> None:
        for picture in itertools.cycle([path.read_bytes() for path in PICTURES]):
            if ended.wait(1 / FRAMES_PER_S):
                return
            connection.publish(f"facegate/{CAMERA}/frame", picture, 0, None)

    with Connection(Broker("127.0.0.1", port), f"bench-{secrets.token_hex(4)}") as connection:
        thread = threading.Thread(target=publish, args=(connection,), name="camera")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
