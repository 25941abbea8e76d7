"""Live cameras, and a listener that reads every message of the gateways and looks for names."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from itertools import count

from benchmarks.faults.load import BASE
from benchmarks.faults.replicas.people import People, tokens_in
from benchmarks.faults.replicas.record import Naming, Record
from device_sim.connection import Broker, Connection

FRAMES_PER_S = 3.0
"""Frames of each camera in a second."""
SHOWN_FOR_FRAMES = 10
"""Frames in a row with the same person, so that the person gets a sighting."""
MAX_PADDING_BYTES = 3000
"""A frame has a size that no other one of its camera has for so many frames: its result tells the size."""
HEARD = (
    "+/result",
    "+/verdict",
    "+/event",
    "+/present",
    "+/state",
    "bridge/person/+",
    "bridge/replica/+",
    "bridge/state",
)
"""The topics below ``<base>/`` that the listener reads. Replies to requests are read by their devices."""


class LiveCameras:
    """Cameras that publish frames, on one thread and one connection."""

    def __init__(self, port: int, people: People, record: Record, rng: random.Random, *, cameras: int) -> None:
        self.names: Sequence[str] = [f"live{n}" for n in range(cameras)]
        self._people = people
        self._record = record
        self._rng = rng
        self._sent: dict[tuple[str, int], float] = {}
        self._numbers = count()
        self._closing = threading.Event()
        filters = [(f"{BASE}/{topic}", 1) for topic in HEARD]
        broker = Broker(port=port, protocol="5")
        self._publisher = Connection(broker, "bench-live")
        self._listener = Connection(broker, "bench-listener", filters=filters, receive=self._receive)
        self._thread = threading.Thread(target=self._run, name="live")

    def __enter__(self) -> LiveCameras:
        self._listener.__enter__()
        self._publisher.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._publisher.close()
        self._listener.close()

    def stop(self) -> None:
        """Send no more frames, and go on reading messages."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        shown = {name: self._people.choose_shown() for name in self.names}
        pause = 1 / (FRAMES_PER_S * len(self.names))
        while True:
            for name in self.names:
                if self._closing.wait(pause):
                    return
                if self._rng.random() < 1 / SHOWN_FOR_FRAMES:
                    shown[name] = self._people.choose_shown()
                self._send(name, shown[name])

    def _send(self, camera: str, shown: str) -> None:
        frame = self._people.picture_of(shown, "live")
        frame = frame.ljust(len(frame) + next(self._numbers) % MAX_PADDING_BYTES, b"\0")
        self._sent[camera, len(frame)] = time.monotonic()
        if self._publisher.publish(f"{BASE}/{camera}/frame", frame, 0, None, camera):
            self._record.record_frame()

    def _receive(self, topic: str, payload: bytes, _correlation: bytes | None) -> None:
        at, text = time.monotonic(), payload.decode(errors="replace")
        camera, _, kind = topic.removeprefix(f"{BASE}/").partition("/")
        sent = self._time_of_frame(camera, text) if kind == "result" else None
        if kind == "result":
            self._record.record_result(camera, sent, at)
        # The empty message that clears a retained one names nobody, although its topic does.
        if tokens := tokens_in([text, topic] if text else []):
            self._record.record_naming(Naming(at, topic, tokens, sent))

    def _time_of_frame(self, camera: str, text: str) -> float | None:
        """Return the time at which the frame of a result was sent."""
        try:
            return self._sent.get((camera, json.loads(text)["image"]["bytes"]))
        # The result is an error, which has no picture.
        except (ValueError, KeyError, TypeError):
            return None
