"""A device with a persistent MQTT session: it gets answers that were sent while it was disconnected."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from benchmarks.faults.history import Answer
from benchmarks.faults.load import BASE, BRIDGE
from device_sim.connection import PROTOCOLS

SESSION_EXPIRY_S = 3600
KEEPALIVE_S = 5
RECONNECT_DELAY_S = (1, 2)
SUBSCRIBE_TIMEOUT_S = 20
MAX_QUEUED_MESSAGES = 1000
"""Messages that paho may have in flight or queued, so that the client does not slow down a flood."""

Receive = Callable[[Answer], None]


@dataclass(slots=True)
class Receipt:
    """The acknowledgement (PUBACK) of a published message."""

    # paho's own MQTTMessageInfo raises for a message published without a connection, although it is sent later.

    is_acknowledged: bool = False


class Device:
    """A device. A device with the name ``bridge`` is an administrator's program.

    ``small``: the device has no memory for JSON, and reads only verdict texts. ``receive`` is called on paho's thread.
    """

    def __init__(
        self,
        name: str,
        port: int,
        receive: Receive,
        *,
        protocol: str = "3.1.1",
        small: bool = False,
        window: int = MAX_QUEUED_MESSAGES,
    ) -> None:
        self.name = name
        self.small = small
        self._port = port
        self._receive = receive
        self._protocol = protocol
        self._filters = [(topic, 1) for topic in self._topics()]
        self._subscribed = False
        self.refused = 0
        """Messages that the broker acknowledged with a failure."""
        self._receipts: dict[int, Receipt] = {}
        self._early: set[int] = set()
        self._lock = threading.Lock()
        self._client = self._make(window)

    def __enter__(self) -> Device:
        """Connect and subscribe. Raises OSError or TimeoutError."""
        if self._protocol == "5":
            properties = Properties(PacketTypes.CONNECT)
            properties.SessionExpiryInterval = SESSION_EXPIRY_S
            self._client.connect("127.0.0.1", self._port, KEEPALIVE_S, clean_start=False, properties=properties)
        else:
            self._client.connect("127.0.0.1", self._port, KEEPALIVE_S)
        self._client.loop_start()
        end = time.monotonic() + SUBSCRIBE_TIMEOUT_S
        while not self._subscribed:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.name} could not subscribe in {SUBSCRIBE_TIMEOUT_S} s")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def publish(self, topic: str, payload: bytes) -> Receipt:
        """Publish with QoS 1. Without a connection paho keeps the message and sends it later."""
        # The lock is not held here, because callbacks run under paho's own lock.
        info = self._client.publish(topic, payload, 1)
        if info.rc is MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise OSError(f"{self.name} has too many messages waiting")
        receipt = Receipt()
        with self._lock:
            if info.mid in self._early:
                self._early.discard(info.mid)
                receipt.is_acknowledged = True
            else:
                self._receipts[info.mid] = receipt
        return receipt

    def _topics(self) -> Sequence[str]:
        answers, verdicts = f"{BASE}/{self.name}/response/#", f"{BASE}/{self.name}/verdict/+"
        if self.name == BRIDGE:
            return (answers,)
        return (verdicts,) if self.small else (answers, verdicts)

    def _make(self, window: int) -> paho.Client:
        keep = None if self._protocol == "5" else False  # MQTT 5 says so when it connects
        client = paho.Client(
            CallbackAPIVersion.VERSION2, f"bench-{self.name}", clean_session=keep, protocol=PROTOCOLS[self._protocol]
        )
        client.max_inflight_messages_set(window)
        client.max_queued_messages_set(window)
        client.reconnect_delay_set(*RECONNECT_DELAY_S)
        client.on_socket_open = _no_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _: object) -> None:
        if not reason.is_failure:
            # A broker that was killed may have lost the subscription.
            client.subscribe(self._filters)

    def _on_subscribe(self, _client: object, _data: object, _mid: int, codes: list[ReasonCode], _: object) -> None:
        self._subscribed = not any(code.is_failure for code in codes)

    def _on_publish(self, _client: object, _data: object, mid: int, reason: ReasonCode, _: object) -> None:
        self.refused += reason.is_failure
        with self._lock:
            receipt = self._receipts.pop(mid, None)
            if receipt is None:
                # The acknowledgement came before publish() returned.
                self._early.add(mid)
            else:
                receipt.is_acknowledged = True

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        answer = read(message.topic, bytes(message.payload), time.monotonic())
        if answer is not None:
            self._receive(answer)


def read(topic: str, payload: bytes, at: float) -> Answer | None:
    """Return the answer in a message, or None if it has no request id."""
    levels = topic.removeprefix(f"{BASE}/").split("/")
    if levels[1] == "verdict":
        return Answer((levels[0], levels[-1]), at, verdict=payload.decode(errors="replace"))
    document = _object(payload)
    request_id = document.get("transaction" if levels[0] == BRIDGE else "request_id")
    return Answer((levels[0], str(request_id)), at, document=document) if request_id is not None else None


def _object(payload: bytes) -> Mapping[str, Any]:
    """Return a JSON object, empty if the payload is invalid: without a request id it does not count as an answer."""
    try:
        document = json.loads(payload)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _no_delay(_client: paho.Client, _data: object, sock: paho.SocketLike) -> None:
    assert isinstance(sock, socket.socket)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
