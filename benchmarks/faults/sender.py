"""Cameras in a separate process, so that they do not slow down the measurement.

``python -m benchmarks.faults.sender`` reads a SendTask as JSON from standard input, and prints a Tally as JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from queue import Empty, SimpleQueue
from typing import Any

from benchmarks.faults.devices import Device
from benchmarks.faults.exit_guard import install_exit_guard
from benchmarks.faults.history import Answer
from benchmarks.faults.installation import ROOT
from benchmarks.faults.load import BASE, pictures_of, with_comment
from device_sim.named_pictures import name_faces

MAX_QUEUED_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class SendTask:
    """A task of the sender.

    ``rate``: requests per second of all cameras together, independent of answers (an open loop). ``outstanding``: or a
    fixed number of outstanding requests (a closed loop). ``wait``: seconds to wait for the last answers. ``cores``: the
    only processor cores for the sender; empty for all. ``faces``: the names that the pictures give to simulated worker
    processes, one for each picture.
    """

    port: int
    cameras: list[str]
    seconds: float
    rate: float = 0.0
    outstanding: int = 0
    wait: float = 30.0
    cores: list[int] = field(default_factory=list)
    faces: list[str] = field(default_factory=list)

    def pictures(self) -> Sequence[bytes]:
        pictures = pictures_of()
        return [name_faces(pictures[n % len(pictures)], [name]) for n, name in enumerate(self.faces)] or pictures


@dataclass(slots=True)
class Tally:
    """The result of a task.

    ``by_code``: requests by the code of their first answer. ``latencies``: seconds of requests with the answer ``ok``.
    ``ok_in_time``: such answers during the sending, which took ``took`` seconds. ``cores``: the sender's processor time
    per second of the sending, which the gateway did not have. ``named``: answers with the name of an enrolled person.
    """

    sent: int = 0
    by_code: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    ok_in_time: int = 0
    took: float = 0.0
    cores: float = 0.0
    named: int = 0

    @property
    def accepted(self) -> int:
        return self.by_code.get("ok", 0)

    @property
    def answered(self) -> int:
        return sum(self.by_code.values())

    @property
    def refused(self) -> int:
        """Number of requests answered with an error."""
        return self.answered - self.accepted

    @property
    def accepted_per_s(self) -> float:
        return self.ok_in_time / self.took


class Sender:
    """The cameras of a task."""

    def __init__(self, task: SendTask) -> None:
        self._task = task
        self._inbox: SimpleQueue[Answer] = SimpleQueue()
        self._devices = [
            Device(name, task.port, self._inbox.put, protocol=("3.1.1", "5")[n % 2], window=MAX_QUEUED_MESSAGES)
            for n, name in enumerate(task.cameras)
        ]
        self._pictures = itertools.cycle(task.pictures())
        self._asked: dict[tuple[str, str], float] = {}
        self._codes: Counter[str] = Counter()
        self._tally = Tally()

    def run(self) -> Tally:
        with ExitStack() as stack:
            for device in self._devices:
                stack.enter_context(device)
            begun = time.monotonic()
            busy = time.process_time()
            self._tally.took = self._task.seconds
            if self._task.rate:
                self._at_a_rate(begun)
            else:
                self._always_under_way(begun)
            self._tally.ok_in_time = self._codes["ok"]
            self._tally.cores = round((time.process_time() - busy) / self._task.seconds, 3)
            self._wait()
        self._tally.by_code = dict(self._codes)
        return self._tally

    def _at_a_rate(self, begun: float) -> None:
        cameras = itertools.cycle(self._devices)
        for moment in moments(self._task.rate, self._task.seconds):
            while (wait := begun + moment - time.monotonic()) > 0:
                self._take(wait)
            if time.monotonic() > begun + self._task.seconds:
                return
            self._ask(next(cameras))
            self._take(0.0)

    def _always_under_way(self, begun: float) -> None:
        cameras = itertools.cycle(self._devices)
        while time.monotonic() < begun + self._task.seconds:
            while len(self._asked) < self._task.outstanding:
                self._ask(next(cameras))
            self._take(0.1)

    def _wait(self) -> None:
        end = time.monotonic() + self._task.wait
        while self._asked and time.monotonic() < end:
            self._take(0.1)

    def _ask(self, device: Device) -> None:
        request_id = secrets.token_hex(8)
        self._asked[device.name, request_id] = time.monotonic()
        topic = f"{BASE}/{device.name}/request/face_rec/{request_id}"
        device.publish(topic, with_comment(next(self._pictures), request_id))
        self._tally.sent += 1

    def _take(self, seconds: float) -> None:
        """Record received answers, or wait so many seconds for the next one."""
        try:
            self._note(self._inbox.get(timeout=max(seconds, 0.0)) if seconds > 0 else self._inbox.get_nowait())
            while True:
                self._note(self._inbox.get_nowait())
        except Empty:
            pass

    def _note(self, answer: Answer) -> None:
        if answer.document is None or (asked := self._asked.pop(answer.key, None)) is None:
            return
        self._codes[answer.code] += 1
        if answer.code == "ok":
            self._tally.latencies.append(answer.at - asked)
            self._tally.named += answer.document.get("name") is not None


def moments(rate: float, seconds: float, client: int = 0, clients: int = 1) -> Iterator[float]:
    """Yield the moments at which one of several clients sends in an open loop, in seconds from its beginning.

    ``rate``: requests per second of all clients together. Each request is at random in its own interval of 1 / ``rate``
    seconds. At equal distances, the requests of two senders would meet during a whole run, or never.
    """
    for number in range(client, round(rate * seconds), clients):
        yield (number + random.random()) / rate


class SenderProcess:
    """A sender in a separate process. ``module``: the program that does the task."""

    def __init__(self, task: Any, module: str = "benchmarks.faults.sender") -> None:
        command = [sys.executable, "-m", module]
        self._task = task
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(task)))
        self._process.stdin.close()

    def tally(self) -> Tally:
        """Wait for the end of the process, and return its result. Raises OSError if it failed."""
        assert self._process.stdout is not None
        output = self._process.stdout.read()
        self._process.stdout.close()
        if self._process.wait() != 0:
            raise OSError(f"the sender process ended with exit code {self._process.returncode}")
        return Tally(**json.loads(output))


def send(task: SendTask) -> Tally:
    """Run a task in a separate process, and return its result."""
    return SenderProcess(task).tally()


if __name__ == "__main__":
    install_exit_guard()
    task = SendTask(**json.load(sys.stdin))
    if task.cores:
        os.sched_setaffinity(0, task.cores)
    print(json.dumps(asdict(Sender(task).run())))
