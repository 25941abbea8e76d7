"""A camera that asks: each picture is a request with an id, asked again with the same id until it is answered.

Under MQTT 3.1.1 the id stands in the response's topic. Under MQTT 5 the camera names a Response Topic of its
own, and the id comes back as Correlation Data. In both a response to another id, or one that is later than
the timeout, is not taken as an answer.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Sequence
from itertools import count

import cbor2

from device_sim import document
from device_sim.ledger import Ledger
from device_sim.model import Event, Message, Outgoing, Picture
from device_sim.repeat import Repeating

OPERATIONS = ("face_rec", "detect", "verify", "face_match", "enroll")
# Those for which the topic ends with a person.
OF_A_PERSON = ("verify", "enroll")


class Requests:
    """``repeating``: None to ask only once and to take every answer for final."""

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
        repeating: Repeating | None = None,
    ) -> None:
        self._pictures = pictures
        self._op = op
        self._person = person
        self._timeout = timeout
        self._by_correlation = by_correlation
        # Random, so that no reply to an earlier run, or to another camera of this name, is taken for ours.
        self._boot = secrets.token_hex(4)
        self._numbers = count(1)
        self._ledger = Ledger(op, timeout=timeout, repeating=repeating)

    def next(self) -> Outgoing:
        picture = next(self._pictures)
        key = f"{self._boot}-{next(self._numbers)}"
        topic = f"request/{self._op}/{key}"
        return Outgoing(
            topic=f"{topic}/{self._person}" if self._person else topic,
            payload=self._payload(picture),
            key=key,
            picture=picture,
            response_topic=self._response_topic(key) if self._by_correlation else None,
            # Nobody waits for it after that.
            expiry=math.ceil(self._timeout),
        )

    def sent(self, outgoing: Outgoing, at: float) -> None:
        """For the first time or again."""
        self._ledger.sent(outgoing, at)

    def due(self, at: float) -> Sequence[Outgoing]:
        """What to send again now."""
        return self._ledger.due(at)

    def give_up(self, at: float) -> Sequence[Event]:
        """Forgets what nobody waits for any more."""
        return self._ledger.give_up(at)

    def waiting(self) -> bool:
        return self._ledger.waiting()

    def read(self, message: Message) -> Sequence[Event]:
        if message.topic.startswith("verdict/"):
            text = message.payload.decode(errors="replace")
            return self._ledger.verdict(message.topic.removeprefix("verdict/"), text, message)
        return self._ledger.answer(self._key(message), document.read(message.payload), message)

    def _key(self, message: Message) -> str | None:
        """None where the topic is not the one on which that request is answered."""
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
