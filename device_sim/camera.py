"""One simulated camera: a connection of its own, and a way of talking over it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from types import TracebackType

from device_sim.link import Broker, Link, Reply
from device_sim.model import Event, Message, Outgoing, Picture, Repeated, Sent, Skipped
from device_sim.parts import split
from device_sim.request import Requests
from device_sim.stream import Stream

Talk = Stream | Requests
Deliver = Callable[[Message], None]


def rotation(pictures: Sequence[Picture], start: int) -> Iterator[Picture]:
    """All pictures over and over, from another one for each camera."""
    return islice(cycle(pictures), start % len(pictures), None)


class Camera:
    """``deliver`` is called on the network thread; everything else belongs to one thread, the caller's.

    In user name and password ``{camera}`` stands for the camera's name, since brokers bind the two. ``parts``:
    requests go in pieces of at most so many bytes.
    """

    def __init__(
        self,
        name: str,
        talk: Talk,
        deliver: Deliver,
        *,
        broker: Broker,
        base: str,
        qos: int | None = None,
        parts: int | None = None,
    ) -> None:
        self.name = name
        self._talk = talk
        self._deliver = deliver
        self._prefix = f"{base}/{name}/"
        self._parts = parts
        self._qos = talk.default_qos if qos is None else qos
        self._link = Link(
            replace(broker, user=_own(broker.user, name), password=_own(broker.password, name)),
            client_id=f"{name}-{secrets.token_hex(4)}",
            filters=[(self._prefix + below, self._qos) for below in talk.filters],
            receive=self._receive,
            status=self._prefix + "status",
        )

    def __enter__(self) -> Camera:
        self._link.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()

    def shoot(self) -> Sent | Skipped:
        outgoing = self._talk.next()
        at = time.monotonic()
        if not self._publish(outgoing):
            return Skipped(self.name)
        self._talk.sent(outgoing, at)
        return Sent(self.name, outgoing.picture.name)

    def upkeep(self) -> Iterator[Event]:
        """Gives up what is too late, and repeats what is due. While the connection is away that waits for it."""
        at = time.monotonic()
        yield from self._talk.give_up(at)
        for outgoing in self._talk.due(at) if self._link.ready else ():
            if self._publish(outgoing):
                self._talk.sent(outgoing, at)
                yield Repeated(self.name, outgoing.picture.name)

    def read(self, message: Message) -> Sequence[Event]:
        return self._talk.read(message)

    def waiting(self) -> bool:
        return self._talk.waiting()

    def _publish(self, outgoing: Outgoing) -> bool:
        """Whether the first piece was taken. Should a later one not be, repeating makes up for it."""
        reply = self._reply(outgoing)
        parcels = split(outgoing.topic, outgoing.payload, self._parts, outgoing.missing)
        taken = [self._link.publish(self._prefix + each.topic, each.payload, self._qos, reply) for each in parcels]
        return taken[0]

    def _reply(self, outgoing: Outgoing) -> Reply | None:
        if outgoing.response_topic is None:
            return None
        return Reply(self._prefix + outgoing.response_topic, outgoing.key.encode(), outgoing.expiry)

    def _receive(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        at = time.monotonic()
        self._deliver(Message(self.name, topic.removeprefix(self._prefix), payload, correlation, at))


def _own(text: str | None, camera: str) -> str | None:
    return text and text.replace("{camera}", camera)
