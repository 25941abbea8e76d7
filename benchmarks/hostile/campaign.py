"""The course of the benchmark: batches of inputs, good requests between them, and measurements of single pictures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from queue import SimpleQueue

from benchmarks.faults.installation import Installation, document_of
from benchmarks.hostile.generator import Generator
from benchmarks.hostile.http_inputs import write_good_request
from benchmarks.hostile.inputs import CAMERA, REQUEST_ID, Input, Interface, MqttMessage
from benchmarks.hostile.senders import BASE, Answer, HttpSender, MqttSender, Sender, ask_http
from benchmarks.hostile.special_pictures import large_pictures
from benchmarks.hostile.tally import Tally
from benchmarks.hostile.workers import Workers
from device_sim.pictures import FRAMES

BATCH = 1_000
"""Inputs between two good requests."""
RESTART_BATCHES = 10
"""Batches between two restarts of the broker, after which the gateway gets the retained messages."""
CAMERAS, HTTP_CLIENTS = 6, 5
"""Senders that work at the same time, beside one administrator. Together they never fill a queue of the gateway: 12
operations on people may wait."""
WARM_UP = 12
"""Good requests before the first measurement, so that each worker process has made its buffers."""
MAX_KEPT_MB = 16.0
"""Memory that a worker process may keep before it is measured again."""
RENEWAL_TIMEOUT_S = 120.0
GOOD_PICTURE, GOOD_NAME = "obama_1.jpg", "Barack Obama"
MEASURING_CAMERA = "measured"

Report = Callable[[str], None]


class Campaign:
    """The benchmark against one installation. ``report`` gets the progress as text."""

    def __init__(self, installation: Installation, generator: Generator, tally: Tally, report: Report) -> None:
        self._installation = installation
        self._generator = generator
        self._tally = tally
        self._report = report
        self._lock = threading.Lock()
        self._good = (FRAMES / GOOD_PICTURE).read_bytes()
        self._workers = Workers(installation)
        self._warm_up()
        self._rest_mb = self._workers.largest_mb()
        self._counts = self._read_counts()

    def measure_large_pictures(self, more: Iterable[tuple[str, bytes]] = ()) -> None:
        """Ask about each picture that costs much, alone. ``more``: further pictures with their names."""
        sender = MqttSender(self._installation.port, MEASURING_CAMERA)
        for name, picture in (*large_pictures(), *more):
            topic = f"{BASE}/{CAMERA}/request/face_rec/{REQUEST_ID}"
            item = Input(0, name, "camera", MqttMessage([topic], [picture]), picture=True)
            self._measure(name, sender, item)
        sender.close()

    def ask_alone(self, number: int) -> Answer:
        """Ask about one input, alone, and return its answer."""
        with self._senders() as senders:
            item = self._generator.make(number)
            self._report(f"{item.kind}: {item.content!r:.2000}")
            return senders[item.interface][0].ask(item)

    def measure_slowest(self) -> None:
        """Ask again about the pictures whose answers took longest, each alone."""
        with self._senders() as senders:
            for _, number in sorted(self._tally.slowest, reverse=True):
                item = self._generator.make(number)
                self._measure(f"input {number} ({item.kind})", senders[item.interface][0], item)

    def run(self, count: int, until: float) -> Iterator[Tally]:
        """Send batches until ``count`` inputs were sent in all, or until a time. Yield the figures after each batch."""
        batches = 0
        while self._tally.inputs < count and time.monotonic() < until:
            begun, first = time.monotonic(), self._tally.inputs
            with self._senders() as senders:
                self._send(range(first, min(count, first + BATCH)), senders)
            batches += 1
            if batches % RESTART_BATCHES == 1:
                self._restart_broker()
            self._ask_good_requests()
            self._note_health()
            self._tally.seconds = round(self._tally.seconds + time.monotonic() - begun, 1)
            yield self._tally

    def _send(self, numbers: Iterable[int], senders: dict[Interface, list[Sender]]) -> None:
        queues: dict[Interface, SimpleQueue[Input | None]] = {interface: SimpleQueue() for interface in senders}
        threads = [
            threading.Thread(target=self._work, args=(sender, queues[interface]), daemon=True)
            for interface, several in senders.items()
            for sender in several
        ]
        for thread in threads:
            thread.start()
        for number in numbers:
            item = self._generator.make(number)
            queues[item.interface].put(item)
        for interface, several in senders.items():
            for _ in several:
                queues[interface].put(None)
        for thread in threads:
            thread.join()

    def _work(self, sender: Sender, items: SimpleQueue[Input | None]) -> None:
        while (item := items.get()) is not None:
            answer = sender.ask(item)
            with self._lock:
                self._tally.add(item, answer)

    @contextmanager
    def _senders(self) -> Iterator[dict[Interface, list[Sender]]]:
        port, rest_port = self._installation.port, self._installation.rest_port
        senders: dict[Interface, list[Sender]] = {
            "camera": [MqttSender(port, f"hostile{n}") for n in range(CAMERAS)],
            "bridge": [MqttSender(port, "bridge")],
            "http": [HttpSender(rest_port) for _ in range(HTTP_CLIENTS)],
        }
        try:
            yield senders
        finally:
            for each in (sender for several in senders.values() for sender in several):
                each.close()

    def _ask_good_requests(self) -> None:
        """Ask over both interfaces who a known person is."""
        over_http = ask_http(self._installation.rest_port, write_good_request(self._good))
        topic = f"{BASE}/{CAMERA}/request/face_rec/{REQUEST_ID}"
        sender = MqttSender(self._installation.port, "good")
        over_mqtt = sender.ask(Input(0, "good", "camera", MqttMessage([topic], [self._good])))
        sender.close()
        for answer in (over_http, over_mqtt):
            named = isinstance(answer.document, dict) and answer.document.get("name") == GOOD_NAME
            self._tally.add_good(answer.code, named)

    def _restart_broker(self) -> None:
        """Restart the broker, and wait until the gateway uses it again."""
        self._installation.restart_broker()
        end = time.monotonic() + RENEWAL_TIMEOUT_S
        while self._installation.status("/readyz") == HTTPStatus.OK and time.monotonic() < end:
            time.sleep(0.05)
        self._installation.wait_ready(RENEWAL_TIMEOUT_S)

    def _warm_up(self) -> None:
        """Wait until all worker processes are ready, and let each make its buffers."""
        end = time.monotonic() + RENEWAL_TIMEOUT_S
        while not self._are_all_ready() and time.monotonic() < end:
            time.sleep(0.1)
        request, port = write_good_request(self._good), self._installation.rest_port
        with ThreadPoolExecutor(HTTP_CLIENTS) as clients:
            list(clients.map(lambda _: ask_http(port, request), range(WARM_UP)))

    def _are_all_ready(self) -> bool:
        document = document_of(self._installation.fetch("GET", "/readyz")) or {}
        workers = document.get("workers", {})
        return bool(workers) and workers["ready"] == workers["of"]

    def _renew_grown_workers(self) -> None:
        """Replace the worker processes that keep memory of earlier pictures: what the next one takes would not show."""
        while self._workers.largest_mb() > self._rest_mb + MAX_KEPT_MB:
            self._workers.kill_all()
            self._warm_up()
            self._counts = self._read_counts()

    def _measure(self, name: str, sender: Sender, item: Input) -> None:
        self._renew_grown_workers()
        begun = self._workers.begin()
        answer = sender.ask(item)
        spent = self._workers.spent_since(begun)
        self._tally.add_usage(name, spent)
        self._note_health()
        self._report(f"{name}: {answer.code}, {spent.cpu_s:.2f} s of processor time, {spent.mb:.0f} MB")
        if answer.status >= 500 or answer.status == 0:
            self._tally.status_5xx += answer.status >= 500
            self._tally.unanswered += item.answered and answer.status == 0
            self._tally.note(f"{name}: {answer.code}, {answer.seconds:.1f} s")

    def _note_health(self) -> None:
        """Add what happened to the processes since the last call."""
        tally, counts = self._tally, self._read_counts()
        for name in ("workers_replaced", "callback_failures"):
            # After a restart the counts begin again.
            setattr(tally, name, getattr(tally, name) + max(0, counts.get(name, 0) - self._counts.get(name, 0)))
        self._counts = counts
        tally.workers_mb = max(tally.workers_mb, round(self._workers.largest_mb(), 1))
        tally.main_mb = max(tally.main_mb, round(self._installation.rss_mb_max, 1))
        tally.main_crashes += self._installation.exits
        self._installation.exits = 0

    def _read_counts(self) -> dict[str, int]:
        document = document_of(self._installation.fetch("GET", "/healthz", wait=30)) or {}
        counts: dict[str, int] = document.get("counts", {})
        return counts
