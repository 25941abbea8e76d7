"""The fleet of devices that load the gateway: each sends a request, waits for the answer, and sends the next."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from benchmarks.faults.devices import Device, Receipt
from benchmarks.faults.history import Answer, History, Key, Sent
from benchmarks.faults.load import BRIDGE, Request, RequestSource

DEADLINE_S = 60.0
"""Time after which a device that repeats its requests gives up."""
NO_REPEAT_TIMEOUT_S = 10.0
"""Time after which a device without repetitions sends its next request. A late answer still counts."""
FIRST_REPEAT_DELAY_S, MAX_REPEAT_DELAY_S = 2.0, 10.0
"""Pauses before repetitions: doubled from the first to the largest, with jitter."""
BRIDGE_INTERVAL_S = 1.0
"""Shortest time between two requests of the administrator."""
STEP_S = 0.05


@dataclass(slots=True)
class OpenRequest:
    """A request without a final answer. ``receipt``: of its last publication."""

    device: Device
    request: Request
    begun: float
    receipt: Receipt
    pause: float = FIRST_REPEAT_DELAY_S
    next_repeat: float = 0.0
    blocks_device: bool = True
    """True if the device sends no other request until this one has its answer."""


class Fleet:
    """The devices, run on one thread.

    ``port``: of the broker, or of a proxy before it. ``rest``: the shortest time between two requests of a camera.
    """

    def __init__(
        self,
        port: int,
        load: RequestSource,
        history: History,
        rng: random.Random,
        *,
        cameras: int,
        repeats: bool,
        rest: float = 0.0,
    ) -> None:
        self._load = load
        self._history = history
        self._rng = rng
        self._repeats = repeats
        self._rest = rest
        self._inbox: SimpleQueue[Answer] = SimpleQueue()
        self._open: dict[Key, OpenRequest] = {}
        self._busy: set[str] = set()
        self._rests: dict[str, float] = {}
        names = [f"cam{n}" for n in range(cameras)]
        self._devices: Sequence[Device] = [
            *(
                Device(name, port, self._inbox.put, protocol=("3.1.1", "5")[n % 2], small=n % 3 == 2)
                for n, name in enumerate(names)
            ),
            Device(BRIDGE, port, self._inbox.put, protocol="5"),
        ]
        self._stack = ExitStack()

    def __enter__(self) -> Fleet:
        for device in self._devices:
            self._stack.enter_context(device)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def refused(self) -> int:
        """Messages that the broker acknowledged with a failure."""
        return sum(device.refused for device in self._devices)

    def run(self, until: Callable[[], bool]) -> None:
        """Send requests and receive answers for all devices, until ``until`` is true."""
        while not until():
            for device in self._devices:
                if self._idle(device):
                    self._ask(device)
            self._step()

    def repeat_during(self, wait: Callable[[], object]) -> None:
        """Call ``wait`` in a thread of its own. Until it returns, devices repeat requests, and send no new ones."""
        with ThreadPoolExecutor(1) as waiter:
            waiting = waiter.submit(wait)
            while not waiting.done():
                self._step()
        waiting.result()

    def drain(self, seconds: float) -> None:
        """Wait for outstanding answers, at most so many seconds, without new requests."""
        end = time.monotonic() + seconds
        while self._open and time.monotonic() < end:
            self._step()
        for each in self._open.values():
            self._note_ack(each)

    def _idle(self, device: Device) -> bool:
        rested = time.monotonic() >= self._rests.get(device.name, 0.0)
        return device.connected and rested and device.name not in self._busy

    def _ask(self, device: Device) -> None:
        bridge = device.name == BRIDGE
        request = self._load.of_bridge() if bridge else self._load.of_camera(device.name)
        now = time.monotonic()
        sent = Sent(request.key, request.op, request.digest, [now], request.token, shown=request.shown)
        self._history.record_request(sent)
        self._busy.add(device.name)
        receipt = device.publish(request.topic, request.payload)
        self._open[request.key] = OpenRequest(
            device, request, now, receipt, next_repeat=now + self._jittered(FIRST_REPEAT_DELAY_S)
        )
        self._rests[device.name] = now + (BRIDGE_INTERVAL_S if bridge else self._rest)

    def _step(self) -> None:
        try:
            self._receive(self._inbox.get(timeout=STEP_S))
            while True:
                self._receive(self._inbox.get_nowait())
        except Empty:
            pass
        now = time.monotonic()
        for each in list(self._open.values()):
            self._maintain(each, now)

    def _maintain(self, each: OpenRequest, now: float) -> None:
        self._note_ack(each)
        timeout = DEADLINE_S if self._repeats else NO_REPEAT_TIMEOUT_S
        if each.blocks_device and now > each.begun + timeout:
            self._set_idle(each)
        if self._repeats and now > each.next_repeat and now < each.begun + DEADLINE_S:
            self._repeat(each, now)

    def _repeat(self, each: OpenRequest, now: float) -> None:
        """Send a request again."""
        # Until the broker has acknowledged the last message, paho itself sends it again after a reconnection.
        if not (each.device.connected and each.receipt.is_acknowledged):
            return
        each.receipt = each.device.publish(each.request.topic, each.request.payload)
        self._history.record_repetition(each.request.key, now)
        each.pause = min(2 * each.pause, MAX_REPEAT_DELAY_S)
        each.next_repeat = now + self._jittered(each.pause)

    def _receive(self, answer: Answer) -> None:
        if not self._history.record_answer(answer):
            return
        each = self._open.get(answer.key)
        # The request has its reply already, or this text belongs to a document that will also arrive.
        if each is None or (answer.verdict is not None and not each.device.small):
            return
        if self._repeats and not answer.final:
            each.next_repeat = answer.at + self._jittered(max(answer.retry_after, each.pause / 2))
            return
        del self._open[answer.key]
        self._note_ack(each)
        self._set_idle(each)
        if answer.code == "ok":
            self._load.succeeded(each.request)

    def _set_idle(self, each: OpenRequest) -> None:
        if each.blocks_device:
            each.blocks_device = False
            self._busy.discard(each.device.name)

    def _note_ack(self, each: OpenRequest) -> None:
        if each.receipt.is_acknowledged:
            self._history.record_acknowledgement(each.request.key)

    def _jittered(self, seconds: float) -> float:
        return seconds * self._rng.uniform(0.75, 1.25)
