"""A camera that asks: each picture is a request with an id, and its response is known by that id.

Under MQTT 3.1.1 the id stands in the response's topic. Under MQTT 5 the camera names a Response Topic of its
own, and the id comes back as Correlation Data. In both a response to another id, or one that is later than
the timeout, is not taken as an answer.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from itertools import count

import cbor2

from device_sim import document
from device_sim.model import Event, Message, Outgoing, Picture, Shot, Verdict

OPERATIONS = ("face_rec", "detect", "verify", "face_match")


class Requests:
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
    ) -> None:
        self._pictures = pictures
        self._op = op
        self._person = person
        self._timeout = timeout
        self._by_correlation = by_correlation
        # Random, so that no reply to an earlier run, or to another camera of this name, is taken for ours.
        self._boot = secrets.token_hex(4)
        self._numbers = count(1)
        self._outstanding: dict[str, Shot] = {}

    def next(self) -> Outgoing:
        picture = next(self._pictures)
        key = f"{self._boot}-{next(self._numbers)}"
        topic = f"request/{self._op}/{key}"
        return Outgoing(
            topic=f"{topic}/{self._person}" if self._person else topic,
            payload=self._payload(picture),
            key=key,
            picture=picture,
            response_topic=f"response/to/{self._boot}" if self._by_correlation else None,
            # Nobody waits for it after that.
            expiry=math.ceil(self._timeout),
        )

    def sent(self, outgoing: Outgoing, at: float) -> None:
        expired = [key for key, shot in self._outstanding.items() if shot.at < at - self._timeout]
        for key in expired:
            del self._outstanding[key]
        self._outstanding[outgoing.key] = Shot(outgoing.picture, at)

    def waiting(self) -> bool:
        return bool(self._outstanding)

    def read(self, message: Message) -> Event:
        if message.topic.startswith("verdict/"):
            return Verdict(message.camera, message.payload.decode(errors="replace"))
        shot = self._outstanding.pop(self._key(message), None)
        return document.read(message.payload).about(shot, message)

    def _key(self, message: Message) -> str:
        if self._by_correlation:
            return (message.correlation or b"").decode(errors="replace")
        return message.topic.rpartition("/")[2]

    def _payload(self, picture: Picture) -> bytes:
        if self._op != "face_match":
            return picture.jpeg
        return cbor2.dumps({"image1": picture.jpeg, "image2": next(self._pictures).jpeg})
