"""The request mode of a camera: each picture is a request with an id, repeated until it is answered.

With MQTT 3.1.1 the id is part of the response's topic. With MQTT 5 the camera gives a Response Topic, and the id comes
back as Correlation Data. A response with another id, or after the timeout, does not count as an answer.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Sequence
from itertools import count

import cbor2

from device_sim import document
from device_sim.model import Event, Message, Outgoing, Picture
from device_sim.repetition import RepeatPolicy
from device_sim.request_ledger import RequestLedger

OPERATIONS = ("face_rec", "detect", "verify", "face_match", "enroll")
# Operations with a person at the end of the topic.
OPERATIONS_WITH_PERSON = ("verify", "enroll")


class Requests:
    """The requests of a camera. ``repeating``: None to send a request once, and to treat every answer as final."""

    filters = ("response/#", "verdict/+")
    default_qos = 1

    def __init__(
        self,
        pictures: Iterator[Picture],
        *,
        op: str,
        person: str | None,
        timeout: float,
        by_correlation: bool,
        repeating: RepeatPolicy | None = None,
    ) -> None:
        self._pictures = pictures
        self._op = op
        self._person = person
        self._timeout = timeout
        self._by_correlation = by_correlation
        # Random, so that replies to an earlier run, or to another camera of this name, do not match.
        self._boot = secrets.token_hex(4)
        self._numbers = count(1)
        self._ledger = RequestLedger(op, timeout=timeout, repeating=repeating)

    def next(self) -> Outgoing:
        """Return the next request. Raises NoNewPicture."""
        picture = next(self._pictures)
        key = f"{self._boot}-{next(self._numbers)}"
        topic = f"request/{self._op}/{key}"
        return Outgoing(
            topic=f"{topic}/{self._person}" if self._person else topic,
            payload=self._payload(picture),
            key=key,
            picture=picture,
            response_topic=self._response_topic(key) if self._by_correlation else None,
            # After this time the camera does not wait any more.
            expiry=math.ceil(self._timeout),
        )

    def record_sent(self, outgoing: Outgoing, at: float) -> bool:
        """Record that a request was sent, and return whether it was sent before."""
        return self._ledger.record_sent(outgoing, at)

    def due_again(self, at: float) -> Sequence[Outgoing]:
        """Return the requests to send again now."""
        return self._ledger.due_again(at)

    def give_up(self, at: float) -> Sequence[Event]:
        """Forget the requests after their timeout."""
        return self._ledger.give_up(at)

    def is_waiting(self, _at: float) -> bool:
        """Return whether a request is outstanding."""
        return self._ledger.is_waiting()

    def read(self, message: Message) -> Sequence[Event]:
        """Return the events of a received message."""
        if message.topic.startswith("verdict/"):
            text = message.payload.decode(errors="replace")
            return self._ledger.verdict(message.topic.removeprefix("verdict/"), text, message)
        return self._ledger.answer(self._key(message), document.read(message.payload), message)

    def _key(self, message: Message) -> str | None:
        """Return the key of the request, or None if the topic is not the one for its response."""
        if self._by_correlation:
            key = (message.correlation or b"").decode(errors="replace")
        else:
            key = message.topic.rpartition("/")[2]
        return key if message.topic == self._response_topic(key) else None

    def _response_topic(self, key: str) -> str:
        return f"response/to/{self._boot}" if self._by_correlation else f"response/{self._op}/{key}"

    def _payload(self, picture: Picture) -> bytes:
        if self._op != "face_match":
            return picture.jpeg
        return cbor2.dumps({"image1": picture.jpeg, "image2": next(self._pictures).jpeg})
