"""Topics: the request that a topic names, and the topics of its reply."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.errors import BadRequest, Forbidden
from gateway.formats.text_encodings import quote_value
from gateway.model import CAMERA_NAME, MQTT_LOGIN, REQUEST_ID, RESERVED_CAMERAS, Caller, Operation, Origin
from gateway.model.caller import BRIDGE_CALLER, Role, camera_caller

_OPERATION = re.compile(r"[a-z0-9_]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,4}")
_COMMAND = re.compile(r"[a-z_]{1,32}(/[a-z_]{1,32})?")

# paho publishes on any topic. A broker disconnects a client that publishes on an invalid one (mosquitto: more than 200
# levels), and paho would publish the same message on the next connection, for ever.
PUBLISHABLE = re.compile(r"(?=(?:[^/]*/){0,31}[^/]*\Z)[!\"$-*,-~]{1,256}")
"""Printable ASCII without ``#`` and ``+``, up to 32 levels."""
MAX_CORRELATION_BYTES = 128

NO_USERS: Mapping[str, Role] = {}

NO_OPERATION = "the topic names no operation: expected request/<operation> (docs/reference/mqtt.md)"


@dataclass(frozen=True, slots=True)
class Address:
    """The content of a request's topic, and the topics of its reply.

    ``operation``: the word of the topic, which may be unknown. ``verdict_topic``: where the verdict goes, if anywhere.
    ``person``: an id. ``live``: a frame of a stream. ``chosen``: the device chose the reply topic. ``private``: the
    reply topic is one of a user's own, which an ACL lets nobody else read. ``correlation``: MQTT 5's Correlation Data.
    ``fault``: what is wrong with the topic, if anything. ``piece``: for a piece of an upload its number, from 0, and
    the number of all pieces. ``key``: identifies a repeated request.
    """

    origin: Origin
    operation: str
    reply_topic: str
    verdict_topic: str | None = None
    person: str | None = None
    live: bool = False
    chosen: bool = False
    private: bool = False
    correlation: bytes | None = None
    fault: str | None = None
    piece: tuple[int, int] | None = None
    key: str | None = None


def correlated(address: Address, correlation: bytes | None) -> Address:
    """Return the address with MQTT 5's Correlation Data. Raises BadRequest if the data is too long."""
    if correlation is None:
        return address
    if len(correlation) > MAX_CORRELATION_BYTES:
        raise BadRequest(
            f"the Correlation Data has {len(correlation)} bytes: at most {MAX_CORRELATION_BYTES} are accepted"
        )
    return replace(address, correlation=correlation)


class Topics:
    """The topics below ``base``.

    ``response_topics``: allowed beginnings of Response Topics beside the caller's own. ``users``: the roles of the
    logins that send commands under their own names. Any other login has the role ``nobody``.
    """

    def __init__(self, base: str, response_topics: Sequence[str] = (), users: Mapping[str, Role] = NO_USERS) -> None:
        self._base = base
        self._response_topics = tuple(response_topics)
        self._users = users
        self.frames = f"{base}/+/frame"
        self.requests = f"{base}/+/request/#"
        self.commands = f"{base}/bridge/request/#"
        self.user_commands = f"{base}/bridge/user/+/request/#"
        self.pieces = f"{base}/+/part/#"
        self.first_pieces = f"{base}/+/part/0/#"
        self.state = f"{base}/bridge/state"
        self.info = f"{base}/bridge/info"
        self.health = f"{base}/bridge/health"
        self.acl_probe = f"{base}/acl_probe"
        self.loopbacks = f"{base}/bridge/canary/"
        self.leader_loopback = f"{self.loopbacks}leader"

    def frame(self, camera: str) -> str:
        """Return the topic of a camera's frames."""
        return f"{self._base}/{camera}/frame"

    def replica(self, replica: str) -> str:
        """Return the topic of the description of a replica."""
        return f"{self._base}/bridge/replica/{replica}"

    def pieces_of(self, camera: str) -> str:
        """Return the filter of the pieces of a camera's requests."""
        return f"{self._base}/{camera}/part/#"

    def loopback(self, instance: str) -> str:
        """Return the topic of a gateway's loopback messages."""
        return f"{self.loopbacks}{instance}"

    def read(self, topic: str) -> Address | None:
        """Return the address, or None for a topic without a valid camera name, which can get no answer."""
        inside = topic.startswith(f"{self._base}/")
        camera, _, rest = topic.removeprefix(f"{self._base}/").partition("/")
        kind, *levels = rest.split("/", 7)
        if not inside or not CAMERA_NAME.fullmatch(camera):
            return None
        if kind == "frame" and not levels:
            return self._frame(camera)
        if kind == "user" and camera in RESERVED_CAMERAS and levels[1:2] == ["request"]:
            return self._user_command(levels[0], levels[2:])
        if kind not in ("request", "part"):
            return None
        if camera in RESERVED_CAMERAS:
            return self._command(BRIDGE_CALLER, levels if kind == "request" else [])
        return self._request(camera, levels) if kind == "request" else self._piece(camera, levels)

    def redirected(self, address: Address, response_topic: str | None) -> Address:
        """Return the address with MQTT 5's Response Topic. Raises Forbidden unless the topic is the camera's own."""
        # A device that chooses any topic could make the gateway publish where the device may not, or send requests to
        # the gateway itself for ever.
        if response_topic is None:
            return address
        allowed = (f"{self._root(address.origin.caller)}/response/", *self._response_topics)
        if not (PUBLISHABLE.fullmatch(response_topic) and response_topic.startswith(allowed)):
            raise Forbidden(
                f"a Response Topic must begin with {allowed[0]}, and be ASCII of up to 32 levels, not"
                f" {quote_value(response_topic)}"
            )
        if self.read(response_topic) is not None:
            raise Forbidden(
                f"the Response Topic {quote_value(response_topic)} is one that the gateway listens to: choose another"
            )
        # Everybody takes the messages below the bridge for the gateway's own, whatever the setting allows.
        if response_topic.startswith(f"{self._base}/bridge/") and not response_topic.startswith(allowed[0]):
            raise Forbidden(f"the Response Topic {quote_value(response_topic)} is for other callers: choose another")
        private = address.private and response_topic.startswith(allowed[0])
        return replace(address, reply_topic=response_topic, chosen=True, private=private)

    def _frame(self, camera: str) -> Address:
        return Address(
            Origin(caller=camera_caller(camera)),
            Operation.FACE_REC.value,
            f"{self._base}/{camera}/result",
            f"{self._base}/{camera}/verdict",
            live=True,
            fault=reserved_name_fault(camera) if camera in RESERVED_CAMERAS else None,
        )

    def _root(self, caller: Caller) -> str:
        """Return the topic below which a caller publishes its requests and gets its replies."""
        if caller.is_mqtt_user:
            return f"{self._base}/bridge/user/{caller.name}"
        return f"{self._base}/bridge" if caller.name is None else f"{self._base}/{caller.name}"

    def _user_command(self, login: str, levels: list[str]) -> Address:
        """Return the address of a command whose topic names the login of the sender."""
        if not MQTT_LOGIN.fullmatch(login):
            fault = f"a login must be 1 to 64 characters of A-Z, a-z, 0-9, _, ., @ and -, not {quote_value(login)}"
            return replace(self._command(BRIDGE_CALLER, []), fault=fault)
        return self._command(Caller("mqtt", login, self._users.get(login, "nobody")), levels)

    def _command(self, caller: Caller, levels: list[str]) -> Address:
        """Return the address of an administrator's command, whose operation may have two words."""
        operation, origin, reply_topic = "/".join(levels), Origin(caller=caller), f"{self._root(caller)}/response"
        if not _COMMAND.fullmatch(operation):
            return Address(origin, "", reply_topic, fault=NO_OPERATION)
        return Address(origin, operation, f"{reply_topic}/{operation}", private=caller.is_mqtt_user)

    def _piece(self, camera: str, levels: list[str]) -> Address:
        """``levels``: the piece's number, the number of all pieces, then the levels of a request with an id."""
        numbers, rest = levels[:2], levels[2:]
        if len(numbers) < 2 or not all(map(_NUMBER.fullmatch, numbers)):
            fault = "expected the topic part/<number from 0>/<number of pieces>/<operation>/<id>"
            return Address(Origin(caller=camera_caller(camera)), "", f"{self._base}/{camera}/response", fault=fault)
        address = self._request(camera, rest)
        number, count = map(int, numbers)
        if address.fault is None and address.key is None:
            address = replace(
                address, fault="pieces need a request id: part/<number>/<number of pieces>/<operation>/<id>"
            )
        elif address.fault is None and number >= count:
            address = replace(address, fault=f"there is no piece {number} of {count}: the first piece has the number 0")
        return replace(address, piece=(number, count))

    def _request(self, camera: str, levels: list[str]) -> Address:
        """``levels``: operation, operation/id or operation/id/person, if they are well-formed."""
        root, caller = f"{self._base}/{camera}", camera_caller(camera)
        if not levels or not _OPERATION.fullmatch(levels[0]):
            return Address(Origin(caller=caller), "", f"{root}/response", fault=NO_OPERATION)
        operation, *rest = levels
        reply_topic = f"{root}/response/{operation}"
        if not rest:
            return Address(Origin(caller=caller), operation, reply_topic)
        request_id, *rest = rest
        if not REQUEST_ID.fullmatch(request_id):
            fault = f"a request id must be 1 to 36 characters of A-Z, a-z, 0-9, _ and -, not {quote_value(request_id)}"
            return Address(Origin(caller=caller), operation, reply_topic, fault=fault)
        return Address(
            Origin(caller=caller, request_id=request_id),
            operation,
            f"{reply_topic}/{request_id}",
            f"{root}/verdict/{request_id}",
            person=rest[0] if rest else None,
            fault="the topic has too many levels: expected request/<operation>/<id>/<person>"
            if len(rest) > 1
            else None,
            key=f"{camera}/{request_id}",
        )


def reserved_name_fault(camera: str) -> str:
    """Return the fault of a topic with a name that no camera may have."""
    return f"the name {camera} is reserved for the gateway: give the camera another name, in its topics"
