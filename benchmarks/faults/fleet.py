"""Devices that keep the gateway busy: each asks, waits for the answer, and asks the next."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from benchmarks.faults.devices import Device, Receipt
from benchmarks.faults.history import Answer, History, Key, Sent
from benchmarks.faults.load import BRIDGE, Load, Request

DEADLINE_S = 60.0
"""A device that repeats gives up after this."""
PATIENCE_S = 10.0
"""One that doesn't asks the next question after this; the answer to the last may still come."""
FIRST_REPEAT_S, LAST_REPEAT_S = 2.0, 10.0
"""Without an answer: doubled from the first to the last, with jitter."""
BRIDGE_REST_S = 1.0
"""An administrator is not in such a hurry as a camera."""
TICK_S = 0.05


@dataclass(slots=True)
class Open:
    """A request that still wants an answer. ``receipt``: of the last time that it was published."""

    device: Device
    request: Request
    begun: float
    receipt: Receipt
    pause: float = FIRST_REPEAT_S
    again: float = 0.0
    waited_for: bool = True
    """Whether the device asks nothing else meanwhile."""


class Fleet:
    """``port``: where the devices find the broker; ``rest``: what each camera lets pass from one question to the next.

    Not to be shared between threads.
    """

    def __init__(
        self,
        port: int,
        load: Load,
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
        self._open: dict[Key, Open] = {}
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
        return sum(device.refused for device in self._devices)

    def run(self, until: Callable[[], bool]) -> None:
        """Asks, and answers for every device in turn, until that holds."""
        while not until():
            for device in self._devices:
                if self._idle(device):
                    self._ask(device)
            self._step()

    def drain(self, seconds: float) -> None:
        """Asks nothing new. Returns early once all is answered."""
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
        self._history.sent(Sent(request.key, request.op, request.digest, [now], request.token))
        self._busy.add(device.name)
        receipt = device.publish(request.topic, request.payload)
        self._open[request.key] = Open(device, request, now, receipt, again=now + self._jittered(FIRST_REPEAT_S))
        self._rests[device.name] = now + (BRIDGE_REST_S if bridge else self._rest)

    def _step(self) -> None:
        try:
            self._receive(self._inbox.get(timeout=TICK_S))
            while True:
                self._receive(self._inbox.get_nowait())
        except Empty:
            pass
        now = time.monotonic()
        for each in list(self._open.values()):
            self._look_after(each, now)

    def _look_after(self, each: Open, now: float) -> None:
        self._note_ack(each)
        patience = DEADLINE_S if self._repeats else PATIENCE_S
        if each.waited_for and now > each.begun + patience:
            self._let_go(each)
        if self._repeats and now > each.again and now < each.begun + DEADLINE_S:
            self._repeat(each, now)

    def _repeat(self, each: Open, now: float) -> None:
        """Not before the broker took the last one: until then paho sends that again whenever it is back."""
        if not (each.device.connected and each.receipt.taken):
            return
        each.receipt = each.device.publish(each.request.topic, each.request.payload)
        self._history.repeated(each.request.key, now)
        each.pause = min(2 * each.pause, LAST_REPEAT_S)
        each.again = now + self._jittered(each.pause)

    def _receive(self, answer: Answer) -> None:
        if not self._history.answered(answer):
            return
        each = self._open.get(answer.key)
        if each is None or (answer.verdict is not None and not each.device.small):
            return  # answered before, or the text beside a document that is on its way
        if self._repeats and not answer.final:
            each.again = answer.at + self._jittered(max(answer.retry_after, each.pause / 2))
            return
        del self._open[answer.key]
        self._note_ack(each)
        self._let_go(each)
        if answer.code == "ok":
            self._load.succeeded(each.request)

    def _let_go(self, each: Open) -> None:
        if each.waited_for:
            each.waited_for = False
            self._busy.discard(each.device.name)

    def _note_ack(self, each: Open) -> None:
        if each.receipt.taken:
            self._history.acked(each.request.key)

    def _jittered(self, seconds: float) -> float:
        return seconds * self._rng.uniform(0.75, 1.25)
