"""Topics: where a message came in, and so where its answer goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import BadRequest, Forbidden
from gateway.model import CAMERA_NAME, REQUEST_ID, RESERVED_CAMERAS, Operation, Origin
from gateway.model.caller import BRIDGE_CALLER, camera_caller

_OPERATION = re.compile(r"[a-z0-9_]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,4}")
_COMMAND = re.compile(r"[a-z_]{1,32}(/[a-z_]{1,32})?")
PUBLISHABLE = re.compile(r"(?=(?:[^/]*/){0,31}[^/]*\Z)[!\"$-*,-~]{1,256}")
"""Printable ASCII without ``#`` and ``+``, up to 32 levels.

paho publishes anything. A broker throws out who publishes what it will not have (mosquitto: more than 200 levels), and
paho, back again, sends the same message again, for ever.
"""
MAX_CORRELATION_BYTES = 128


@dataclass(frozen=True, slots=True)
class Address:
    """``operation``: the topic's word, which may be none of ours. ``fault``: what is wrong with what came, if anything.

    The verdict goes to ``verdict_topic`` where there is one. ``chosen``: the camera said where the reply goes.
    ``correlation`` is MQTT 5's Correlation Data. ``piece``: its number, from 0, and of how many, where it is one of an
    upload.
    """

    origin: Origin
    operation: str
    reply_topic: str
    verdict_topic: str | None = None
    person: str | None = None
    live: bool = False
    chosen: bool = False
    correlation: bytes | None = None
    fault: str | None = None
    piece: tuple[int, int] | None = None

    @property
    def key(self) -> str | None:
        """By which the request is known again."""
        request_id = self.origin.request_id
        return None if request_id is None else f"{self.origin.camera}/{request_id}"


def correlated(address: Address, correlation: bytes | None) -> Address:
    """With MQTT 5's Correlation Data. Raises BadRequest if it is too long."""
    if correlation is None:
        return address
    if len(correlation) > MAX_CORRELATION_BYTES:
        raise BadRequest(f"Correlation Data may have {MAX_CORRELATION_BYTES} bytes")
    return replace(address, correlation=correlation)


def _command(root: str, levels: list[str]) -> Address:
    """What an administrator asks the bridge for: the operation may be of two words."""
    operation = "/".join(levels)
    if not _COMMAND.fullmatch(operation):
        return Address(Origin(caller=BRIDGE_CALLER), "", f"{root}/response", fault="the topic names no operation")
    return Address(Origin(caller=BRIDGE_CALLER), operation, f"{root}/response/{operation}")


class Topics:
    """``response_topics``: beginnings of Response Topics that are allowed beside a camera's own."""

    def __init__(self, base: str, response_topics: Sequence[str] = ()) -> None:
        self._base = base
        self._response_topics = tuple(response_topics)
        self.frames = f"{base}/+/frame"
        self.requests = f"{base}/+/request/#"
        self.pieces = f"{base}/+/part/#"
        self.state = f"{base}/bridge/state"
        self.info = f"{base}/bridge/info"
        self.health = f"{base}/bridge/health"
        self.loopbacks = f"{base}/bridge/canary/"

    def loopback(self, instance: str) -> str:
        return f"{self.loopbacks}{instance}"

    def read(self, topic: str) -> Address | None:
        """None if nobody can be answered, since the level where the camera stands names none."""
        inside = topic.startswith(f"{self._base}/")
        camera, _, rest = topic.removeprefix(f"{self._base}/").partition("/")
        kind, *levels = rest.split("/", 7)
        if not inside or not CAMERA_NAME.fullmatch(camera):
            return None
        if kind == "frame" and not levels:
            return self._frame(camera)
        if kind == "request":
            return self._request(camera, levels)
        if kind == "part":
            return self._piece(camera, levels)
        return None

    def redirected(self, address: Address, response_topic: str | None) -> Address:
        """With MQTT 5's Response Topic.

        Raises Forbidden for a topic that is not the camera's own: who may choose where we publish can make us
        write where he may not, or ask ourselves for ever.
        """
        if response_topic is None:
            return address
        allowed = (f"{self._base}/{address.origin.camera}/response/", *self._response_topics)
        if not (PUBLISHABLE.fullmatch(response_topic) and response_topic.startswith(allowed)):
            raise Forbidden(f"a Response Topic must begin with {allowed[0]}, and be ASCII of up to 32 levels")
        if self.read(response_topic) is not None:
            raise Forbidden("a Response Topic must not be one that the gateway listens to")
        return replace(address, reply_topic=response_topic, chosen=True)

    def _frame(self, camera: str) -> Address:
        return Address(
            Origin(caller=camera_caller(camera)),
            Operation.FACE_REC.value,
            f"{self._base}/{camera}/result",
            f"{self._base}/{camera}/verdict",
            live=True,
            fault="bridge is no camera" if camera in RESERVED_CAMERAS else None,
        )

    def _piece(self, camera: str, levels: list[str]) -> Address:
        """``levels``: number, of how many, then as a request that needs an id."""
        numbers, rest = levels[:2], levels[2:]
        if camera in RESERVED_CAMERAS or len(numbers) < 2 or not all(map(_NUMBER.fullmatch, numbers)):
            fault = "pieces go to part/<number from 0>/<of how many>/<operation>/<id>"
            return Address(Origin(caller=camera_caller(camera)), "", f"{self._base}/{camera}/response", fault=fault)
        address = self._request(camera, rest)
        number, of = map(int, numbers)
        if address.fault is None and address.key is None:
            address = replace(address, fault="pieces need the id of the request that they make")
        elif address.fault is None and number >= of:
            address = replace(address, fault=f"there is no piece {number} of {of}: the first one is 0")
        return replace(address, piece=(number, of))

    def _request(self, camera: str, levels: list[str]) -> Address:
        """``levels``: what follows ``request``, which is op, op/id or op/id/person, if it is well-formed."""
        root = f"{self._base}/{camera}"
        if camera in RESERVED_CAMERAS:
            return _command(root, levels)
        if not levels or not _OPERATION.fullmatch(levels[0]):
            return Address(
                Origin(caller=camera_caller(camera)), "", f"{root}/response", fault="the topic names no operation"
            )
        operation, *rest = levels
        reply_topic = f"{root}/response/{operation}"
        if not rest:
            return Address(Origin(caller=camera_caller(camera)), operation, reply_topic)
        request_id, *rest = rest
        if not REQUEST_ID.fullmatch(request_id):
            fault = "a request id is 1 to 36 of A-Z, a-z, 0-9, _ and -"
            return Address(Origin(caller=camera_caller(camera)), operation, reply_topic, fault=fault)
        return Address(
            Origin(caller=camera_caller(camera), request_id=request_id),
            operation,
            f"{reply_topic}/{request_id}",
            f"{root}/verdict/{request_id}",
            person=rest[0] if rest else None,
            fault="the topic has too many levels" if len(rest) > 1 else None,
        )
