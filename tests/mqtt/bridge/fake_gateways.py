"""Gateways on a broker that delivers immediately, for the search for other gateways."""

from __future__ import annotations

import json
import queue
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.errors import GatewayError
from gateway.mqtt.bridge.duplicate_detector import DuplicateDetector
from gateway.mqtt.bridge.search_state import SearchEvent
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.delivery.loopback import Loopback, LoopbackMessage
from gateway.mqtt.transport.packets import Publication, Received

OWN, LOWER, HIGHER = "888888888888", "777777777777", "999999999999"
UP_MS = 1_000_000


class FixedAge(Loopback):
    """A loopback whose age does not grow."""

    def __init__(self, topic: str, up_ms: int) -> None:
        super().__init__(topic)
        self._up_ms = up_ms

    @property
    def up_ms(self) -> int:
        return self._up_ms


class FakeBroker:
    """A broker between gateways. Messages on a ``deaf`` topic are not delivered."""

    def __init__(self) -> None:
        self.gateways: list[FakeGateway] = []
        self.published: list[Publication] = []
        self.deaf: set[str] = set()

    def publish(self, publication: Publication) -> None:
        self.published.append(publication)
        if publication.topic not in self.deaf:
            for each in [each for each in self.gateways if each.connected]:
                each.detector.receive(Received(publication.topic, publication.payload, retained=False))


class SlowBroker(FakeBroker):
    """A broker that delivers all messages in one order, to each gateway after a while of its own."""

    def __init__(self, delays: random.Random) -> None:
        super().__init__()
        self._delays = delays
        self._lock = threading.Lock()
        self._queues: dict[str, queue.SimpleQueue[Publication | None]] = {}
        self._threads: list[threading.Thread] = []

    def publish(self, publication: Publication) -> None:
        with self._lock:
            for gateway in self.gateways:
                self._queue(gateway).put(publication)

    def stop(self) -> None:
        for each in self._queues.values():
            each.put(None)
        for thread in self._threads:
            thread.join()

    def _queue(self, gateway: FakeGateway) -> queue.SimpleQueue[Publication | None]:
        if gateway.instance not in self._queues:
            self._queues[gateway.instance] = waiting = queue.SimpleQueue[Publication | None]()
            self._threads.append(threading.Thread(target=self._deliver, args=(gateway, waiting)))
            self._threads[-1].start()
        return self._queues[gateway.instance]

    def _deliver(self, gateway: FakeGateway, waiting: queue.SimpleQueue[Publication | None]) -> None:
        while (publication := waiting.get()) is not None:
            time.sleep(self._delays.choice([0, 0, 0.01, 0.04]))
            gateway.detector.receive(Received(publication.topic, publication.payload, retained=False))


@dataclass
class FakeGateway:
    """A gateway's detector, and its session with the broker."""

    broker: FakeBroker
    instance: str = OWN
    up_ms: int = UP_MS
    serving: bool = False
    ended: list[GatewayError] = field(default_factory=list)
    connected: bool = True

    def __post_init__(self) -> None:
        self.subscribed = threading.Event()
        loopback = FixedAge(f"home/bridge/canary/{self.instance}", self.up_ms)
        publish = self.broker.publish
        self.detector = DuplicateDetector(Topics("home"), self.instance, loopback, publish, self.ended.append)
        if self.serving:
            self.serve()
        self.broker.gateways.append(self)

    def serve(self) -> None:
        self.detector._progress.apply(SearchEvent.SILENT)

    def subscribe(self, filters: Sequence[tuple[str, int]], *, retained: bool) -> None:
        self.subscribed.set()

    def unsubscribe(self, topics: Sequence[str]) -> None:
        pass

    def publish_loopback(self) -> None:
        message = LoopbackMessage(1, self.up_ms)
        self.broker.publish(Publication(f"home/bridge/canary/{self.instance}", message.write()))

    def receive(self, instance: str, payload: bytes, *, retained: bool = False) -> None:
        """Receive a message on the loopback topic of an instance."""
        self.detector.receive(Received(f"home/bridge/canary/{instance}", payload, retained=retained))

    def receive_retained(self, topic: str, document: dict[str, str]) -> None:
        self.detector.receive(Received(f"home/bridge/{topic}", json.dumps(document).encode(), retained=True))

    def sent(self) -> list[bytes]:
        return [each.payload for each in self.broker.published if each.topic.endswith(self.instance)]

    @property
    def result(self) -> tuple[bool, tuple[str, ...]]:
        """True if the gateway may serve, and the warnings of its search."""
        return self.detector.exclusive, self.detector.warnings
