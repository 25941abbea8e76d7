"""The probe: new requests sent directly to the broker, until the gateway answers."""

from __future__ import annotations

import itertools
import secrets
import threading
import time

from benchmarks.faults.devices import Device
from benchmarks.faults.history import Answer
from benchmarks.faults.load import BASE, SINGLE_FACE_FRAMES, with_comment
from device_sim.pictures import FRAMES

INTERVAL_S = 0.25
CAMERA = "probe"


class Probe:
    """The probe. ``port``: of the broker itself, so that only the gateway's connection is measured."""

    def __init__(self, port: int) -> None:
        self._device = Device(CAMERA, port, self._receive)
        self._picture = (FRAMES / SINGLE_FACE_FRAMES[0]).read_bytes()
        self._ids = (f"{secrets.token_hex(4)}-{n}" for n in itertools.count())
        self._asked: set[str] = set()
        self._served = threading.Event()

    def __enter__(self) -> Probe:
        self._device.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._device.__exit__()

    def until_served(self, seconds: float) -> float | None:
        """Return the seconds until a new request is answered, or None without an answer."""
        begun = time.monotonic()
        self._served.clear()
        self._asked = set()
        while time.monotonic() < begun + seconds:
            request_id = next(self._ids)
            self._asked.add(request_id)
            topic = f"{BASE}/{CAMERA}/request/detect/{request_id}"
            self._device.publish(topic, with_comment(self._picture, request_id))
            if self._served.wait(INTERVAL_S):
                return time.monotonic() - begun
        return None

    def _receive(self, answer: Answer) -> None:
        if answer.key[1] in self._asked and answer.code == "ok":
            self._served.set()
