"""The description of one topic, or of a family of topics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.contract.components import Schema

PARAMETERS: Mapping[str, str] = {
    "camera": "The name of a camera: 1 to 64 characters of `A-Z a-z 0-9 _ -`. `bridge` is reserved.",
    "id": "The id of a request, new for each: 1 to 36 characters of `A-Z a-z 0-9 _ -`.",
    "person": "The id of a person.",
    "login": "The login of the sender at the broker.",
    "operation": "The name of an operation.",
    "group": "The first word of an operation, such as `people`.",
    "number": "The number of the piece, from 0.",
    "count": "The number of all pieces.",
    "instance": "The id of the gateway that publishes.",
    "replica": "The id of a replica of a cluster.",
}
"""The levels of a topic that differ from message to message."""

_PARAMETER = re.compile(r"\{(\w+)\}")

JSON, CBOR, TEXT, JPEG = "application/json", "application/cbor", "text/plain", "image/jpeg"

PICTURE: Schema = {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of message on a channel. ``kind``: its media type. ``options``: fields that may be user properties."""

    name: str
    kind: str
    payload: Schema
    options: Schema | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic below the base topic, with ``{parameters}``.

    ``action``: of the gateway. ``reply``: the name of the channel on which it answers.
    """

    name: str
    topic: str
    summary: str
    action: Literal["send", "receive"]
    messages: Sequence[Message]
    qos: Literal[0, 1] = 1
    retain: bool = False
    reply: str | None = None

    @property
    def parameters(self) -> list[str]:
        return parameters_of(self.topic)


def parameters_of(topic: str) -> list[str]:
    """Return the names of the parameters in a topic."""
    return _PARAMETER.findall(topic)
