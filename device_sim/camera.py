"""A simulated camera: its connection, and its mode (a stream, or requests)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType

from device_sim.connection import Broker, Connection, Mqtt5Properties
from device_sim.model import Event, Message, Outgoing, Repeated, Sent, Skipped
from device_sim.network_loop import NetworkLoop
from device_sim.pieces import split
from device_sim.request import Requests
from device_sim.stream import Stream

CameraMode = Stream | Requests
Deliver = Callable[[Message], None]


class Camera:
    """A simulated camera. All methods must be called from one thread.

    ``deliver`` is called on the network thread for each received message. ``{camera}`` in user name and password is
    replaced by the camera's name, because brokers may require them to match. ``parts``: the largest piece in bytes, if
    requests are sent in pieces. ``loop``: the network thread that cameras share. ``shared``: the connection that
    cameras share. Its owner starts it after all its cameras were made, and it calls ``deliver`` itself.
    """

    def __init__(
        self,
        name: str,
        mode: CameraMode,
        deliver: Deliver,
        *,
        broker: Broker,
        base: str,
        qos: int | None = None,
        parts: int | None = None,
        loop: NetworkLoop | None = None,
        shared: Connection | None = None,
    ) -> None:
        self.name = name
        self._mode = mode
        self._deliver = deliver
        self._prefix = f"{base}/{name}/"
        self._parts = parts
        self._qos = mode.default_qos if qos is None else qos
        self._owns_connection = shared is None
        self._connection = shared or Connection(
            replace(broker, user=_with_name(broker.user, name), password=_with_name(broker.password, name)),
            client_id=f"{name}-{secrets.token_hex(4)}",
            receive=self._receive,
            status=self._prefix + "status",
            loop=loop,
        )
        self._connection.add_filters([(self._prefix + below, self._qos) for below in mode.filters])

    def __enter__(self) -> Camera:
        if self._owns_connection:
            self._connection.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_connection:
            self._connection.close()

    def take_picture(self) -> Outgoing:
        """Return the message with the next picture. Raises NoNewPicture."""
        return self._mode.next()

    def send(self, outgoing: Outgoing) -> Sent | Repeated | Skipped:
        """Send a picture, unless there is no connection or it is still busy."""
        at = time.monotonic()
        if not self._publish(outgoing):
            return Skipped(self.name)
        is_copy = self._mode.record_sent(outgoing, at)
        return (Repeated if is_copy else Sent)(self.name, outgoing.picture.name)

    def maintain(self) -> Iterator[Event]:
        """Give up requests after their timeout, and repeat those that are due if there is a connection."""
        at = time.monotonic()
        yield from self._mode.give_up(at)
        for outgoing in self._mode.due_again(at) if self._connection.ready else ():
            if self._publish(outgoing):
                self._mode.record_sent(outgoing, at)
                yield Repeated(self.name, outgoing.picture.name)

    def read(self, message: Message) -> Sequence[Event]:
        """Return the events of a received message."""
        return self._mode.read(message)

    def is_waiting(self) -> bool:
        return self._mode.is_waiting(time.monotonic())

    def _publish(self, outgoing: Outgoing) -> bool:
        """Publish a message or its pieces, and return whether the first one was accepted."""
        # A later piece that is not accepted is sent again with the next repetition.
        properties = self._properties(outgoing)
        publications = split(outgoing.topic, outgoing.payload, self._parts, outgoing.missing)
        accepted = [
            self._connection.publish(self._prefix + each.topic, each.payload, self._qos, properties, self.name)
            for each in publications
        ]
        return accepted[0]

    def _properties(self, outgoing: Outgoing) -> Mqtt5Properties | None:
        if outgoing.response_topic is None:
            return None
        return Mqtt5Properties(self._prefix + outgoing.response_topic, outgoing.key.encode(), outgoing.expiry)

    def _receive(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        at = time.monotonic()
        self._deliver(Message(self.name, topic.removeprefix(self._prefix), payload, correlation, at))


def _with_name(text: str | None, camera: str) -> str | None:
    return text and text.replace("{camera}", camera)
