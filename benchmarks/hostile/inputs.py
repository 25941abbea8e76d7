"""The inputs of the benchmark as values: messages over MQTT, and requests over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CAMERA, REQUEST_ID = "<camera>", "<id>"
"""Places in a topic or a payload that the sender fills in: its own name, and an id that was not used before."""

Interface = Literal["camera", "bridge", "http"]


@dataclass(frozen=True, slots=True)
class MqttMessage:
    """A message over MQTT. ``payloads``: of all messages; only the last one is answered.

    ``topics``: one for each payload. ``response_topic``: MQTT 5's, with ``correlation`` and ``expiry`` in seconds.
    ``retained``: the broker keeps the messages.
    """

    topics: Sequence[str]
    payloads: Sequence[bytes]
    response_topic: str | None = None
    correlation: bytes | None = None
    expiry: int | None = None
    retained: bool = False


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """All bytes of a request over HTTP. ``closes``: the sender ends its side of the connection after them.

    ``client``: the address on this machine that the sender uses; None for any.
    """

    data: bytes
    closes: bool = False
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """An input. ``number``: the input can be made again from it.

    ``answered``: the gateway must answer it. ``well_formed``: each layer around the hostile fields is valid.
    ``picture``: it brings all bytes of a picture, damaged or not, to the decoder.
    """

    number: int
    kind: str
    interface: Interface
    content: MqttMessage | HttpRequest
    answered: bool = True
    well_formed: bool = False
    picture: bool = False
