"""The senders of the inputs. Each sends one input at a time, and waits for its answer."""

from __future__ import annotations

import itertools
import json
import re
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from benchmarks.hostile.inputs import CAMERA, REQUEST_ID, HttpRequest, Input, MqttMessage
from device_sim.connection import Broker, Connection, Mqtt5Properties
from gateway.rest.problems import STATUS

ANSWER_TIMEOUT_S = 40.0
"""The time after which an input counts as unanswered: a request that waits in the gateway expires earlier."""
READ_BYTES = 65_536
NO_ANSWER = "no answer"
BASE = "facegate"

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
# The gateway delays the errors of an address that causes more than 50 a second.
_ADDRESSES = itertools.cycle([f"127.0.4.{number}" for number in range(1, 101)])


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. ``code``: ``ok``, an error code of the gateway, or NO_ANSWER. ``document``: its JSON, if it has any.

    ``status``: the HTTP status; over MQTT that of the code. 0 without an answer.
    """

    code: str
    status: int
    seconds: float
    document: Any = None

    @property
    def reason(self) -> str:
        """The sentence of an error, after a comma. Empty without one."""
        fields = self.document if isinstance(self.document, dict) else {}
        sentence = fields.get("error") or fields.get("detail")
        return f", {sentence}" if sentence else ""


class Sender(Protocol):
    """A sender of inputs."""

    def ask(self, item: Input) -> Answer:
        """Send the input, and return its answer."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class MqttSender:
    """A device, or an administrator's program (``bridge``), with a connection of its own."""

    def __init__(self, port: int, name: str) -> None:
        self._name = name
        self._broker = Broker(port=port, protocol="5")
        self._answers: SimpleQueue[bytes] = SimpleQueue()
        self._connection = self._connect()

    def _connect(self) -> Connection:
        topics = [f"{BASE}/{self._name}/response/#", f"{BASE}/{self._name}/result"]
        client_id = f"hostile-{secrets.token_hex(4)}"
        connection = Connection(
            self._broker,
            client_id,
            filters=[(topic, 1) for topic in topics],
            receive=self._receive,
            connect_timeout_s=30,
        )
        return connection.__enter__()

    def close(self) -> None:
        self._connection.close()

    def ask(self, item: Input) -> Answer:
        assert isinstance(item.content, MqttMessage)
        self._forget_late_answers()
        begun = time.monotonic()
        self._publish(item.content)
        if not item.answered:
            return Answer(NO_ANSWER, 0, 0.0)
        try:
            payload = self._answers.get(timeout=ANSWER_TIMEOUT_S)
        except Empty:
            # A message that the broker refuses would be sent again and again before every other one.
            self._connection.close()
            self._connection = self._connect()
            return Answer(NO_ANSWER, 0, ANSWER_TIMEOUT_S)
        return read_answer(payload, time.monotonic() - begun)

    def _publish(self, message: MqttMessage) -> None:
        request_id = secrets.token_hex(8)
        properties = None
        if message.correlation is not None:
            chosen = None if message.response_topic is None else self._fill_in(message.response_topic, request_id)
            properties = Mqtt5Properties(chosen, message.correlation, message.expiry)
        for topic, payload in zip(message.topics, message.payloads, strict=True):
            self._connection.publish(
                self._fill_in(topic, request_id),
                payload.replace(REQUEST_ID.encode(), request_id.encode()),
                1,
                properties,
                retain=message.retained,
            )

    def _fill_in(self, text: str, request_id: str) -> str:
        return text.replace(CAMERA, self._name).replace(REQUEST_ID, request_id)

    def _forget_late_answers(self) -> None:
        with suppress(Empty):
            while True:
                self._answers.get_nowait()

    def _receive(self, _topic: str, payload: bytes, _correlation: bytes | None) -> None:
        self._answers.put(payload)


class HttpSender:
    """A client with a new connection for each request."""

    def __init__(self, port: int) -> None:
        self._port = port

    def close(self) -> None:
        """Do nothing: no connection is open."""

    def ask(self, item: Input) -> Answer:
        assert isinstance(item.content, HttpRequest)
        return ask_http(self._port, item.content)


def ask_http(port: int, request: HttpRequest) -> Answer:
    """Send a request, and return its answer. Of several answers on one connection the worst status counts."""
    begun = time.monotonic()
    received = _exchange(port, request)
    seconds = time.monotonic() - begun
    statuses = [int(each) for each in _STATUS.findall(received)]
    if not statuses:
        return Answer(NO_ANSWER, 0, seconds)
    document = _document(received.partition(b"\r\n\r\n")[2])
    code = document.get("code") if isinstance(document, dict) else None
    status = max(statuses)
    return Answer(str(code or ("ok" if status < 400 else f"status {status}")), status, seconds, document)


def _exchange(port: int, request: HttpRequest) -> bytes:
    """Return all bytes that the server sends until it closes the connection."""
    received = b""
    # The server may answer and close before it has read everything.
    source, timeout = (request.client or next(_ADDRESSES), 0), ANSWER_TIMEOUT_S
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout, source) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request.data)
            if request.closes:
                connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(READ_BYTES):
            received += part
    return received


def read_answer(payload: bytes, seconds: float) -> Answer:
    """Return the answer in a message over MQTT."""
    document = _document(payload)
    if not isinstance(document, dict):
        return Answer("not JSON", 500, seconds)
    code = "ok" if document.get("status") == "ok" else str(document.get("code"))
    status = 200 if code == "ok" else STATUS[code].value if code in STATUS else 500
    return Answer(code, status, seconds, document)


def _document(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
