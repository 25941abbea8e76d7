"""Messages as typed values: topic, properties and payload are read here, and nowhere else.

A message becomes a Frame, Query, Command or Piece, or it is Rejected or Ignored. The payload is read last, so that
a flood of messages can be refused earlier, at a low cost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gateway.config import LimitSettings
from gateway.contract.reading import read_flag, read_landmarks
from gateway.errors import BadImage, BadRequest, GatewayError, TooLarge, Unsupported
from gateway.formats.text_encodings import MAX_QUOTED_CHARACTERS, json_type_name, quote_start, quote_value
from gateway.formats.topic_patterns import TopicPattern
from gateway.model import REQUEST_ID, Effect, Operation, Request
from gateway.model.names import checked_name
from gateway.mqtt.codec.payload import IGNORED_IN_COMMANDS, read_fields
from gateway.mqtt.codec.pictures import check_count, take_pictures
from gateway.mqtt.codec.topics import Address, Topics, correlated
from gateway.mqtt.transport.packets import Received

OPTION_FIELDS = frozenset({"annotate", "landmarks", "name", "person"})
"""Fields beside the pictures. Under MQTT 5 they may be user properties instead."""


# ``suspect``: its reply may have ended earlier connections, so it gets a short error only (delivery/poison_guard.py).
@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a stream, of which only the newest counts. ``properties``: MQTT 5's user properties."""

    address: Address
    payload: bytes
    properties: Mapping[str, str]
    suspect: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A request of a camera, which gets exactly one answer. ``properties``: MQTT 5's user properties."""

    address: Address
    payload: bytes
    properties: Mapping[str, str]
    suspect: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A request of an administrator."""

    address: Address
    payload: bytes
    suspect: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a query that is too large for one message."""

    address: Address
    received: Received
    suspect: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that is answered with an error."""

    address: Address
    error: GatewayError


@dataclass(frozen=True, slots=True)
class Ignored:
    """A message that gets no answer, since it is retained, or its topic has no valid name of a camera."""

    reason: Literal["retained", "name"]


class Reader:
    """The reader of messages. The reply to a suspect message goes to its default topic."""

    def __init__(self, topics: Topics, limits: LimitSettings) -> None:
        self._topics = topics
        self._limits = limits

    def read_frame(self, received: Received, suspect: bool) -> Frame | Rejected | Ignored:
        address = self._read_address(received, suspect)
        if not isinstance(address, Address):
            return address
        return Frame(address, received.payload, received.properties, suspect)

    def read_input(self, pattern: TopicPattern, received: Received, suspect: bool) -> Frame | Rejected | Ignored:
        """Read a picture on a topic of other firmware as a frame of the camera that the pattern names."""
        topic = self._topics.frame(pattern.name_camera(received.topic))
        return self.read_frame(replace(received, topic=topic), suspect)

    def read_query(self, received: Received, suspect: bool) -> Query | Rejected | Ignored:
        """Read a query. ``received`` may also be the last piece of a query, with the payload of all pieces."""
        address = self._read_address(received, suspect)
        if not isinstance(address, Address):
            return address
        return Query(address, received.payload, received.properties, suspect)

    def read_command(self, received: Received, suspect: bool) -> Command | Rejected | Ignored:
        address = self._read_address(received, suspect)
        return Command(address, received.payload, suspect) if isinstance(address, Address) else address

    def read_piece(self, received: Received, suspect: bool) -> Piece | Rejected | Ignored:
        address = self._read_topic(received)
        if isinstance(address, Address) and address.piece is not None:
            # A Response Topic counts only for the answer to the whole query: each piece may have another one.
            fault = received.fault or address.fault
            return Piece(address, received, suspect) if fault is None else Rejected(address, BadRequest(fault))
        address_of_fault = self._read_address(received, suspect)
        assert not isinstance(address_of_fault, Address)
        return address_of_fault

    def read_request(self, message: Frame | Query, valid_for_s: float) -> Request:
        """Read the payload. ``valid_for_s``: seconds after which nobody waits for the reply. Raises BadRequest."""
        address, payload, properties = message.address, message.payload, message.properties
        operation = _operation(address)
        self._check_size(payload)
        fields = read_fields(payload)
        names = list(fields)
        pictures = take_pictures(fields)
        options = {name: value for name, value in properties.items() if name in OPTION_FIELDS} | fields
        effect = _effect(message, valid_for_s) if operation is Operation.ENROLL else None
        arguments = _options(operation, options, address)
        check_count(operation, len(pictures), names)
        return Request(
            operation=operation,
            pictures=pictures,
            valid_for_s=valid_for_s,
            origin=address.origin,
            live=address.live,
            effect=effect,
            **arguments,
        )

    def read_fields(self, command: Command) -> dict[str, Any]:
        """Return the fields of a command. Raises BadRequest."""
        self._check_size(command.payload)
        try:
            return read_fields(command.payload or b"{}", IGNORED_IN_COMMANDS)
        except BadImage:
            raise BadImage(
                f"expected the fields of {command.address.operation} as JSON or CBOR, but the payload begins with"
                f" {quote_start(command.payload)}"
            ) from None

    def _read_address(self, received: Received, suspect: bool) -> Address | Rejected | Ignored:
        """Return the address with what MQTT 5's properties say about the reply."""
        address = self._read_topic(received)
        if isinstance(address, Ignored):
            return address
        try:
            # In this order: the reply to each fault carries the correlation, and goes to a valid Response Topic.
            address = correlated(address, received.correlation)
            if not suspect:
                address = self._topics.redirected(address, received.response_topic)
            if (fault := received.fault or address.fault) is not None:
                raise BadRequest(fault)
        except GatewayError as error:
            return Rejected(address, error)
        return address

    def _read_topic(self, received: Received) -> Address | Ignored:
        if received.retained:
            return Ignored("retained")
        address = self._topics.read(received.topic)
        return Ignored("name") if address is None else address

    def _check_size(self, payload: bytes) -> None:
        if len(payload) > self._limits.message_bytes:
            raise TooLarge(
                f"the payload has {len(payload)} bytes: at most {self._limits.message_bytes} are accepted"
                " (limits.message_bytes): send a smaller picture"
            )


def take_transaction(fields: dict[str, Any]) -> str | None:
    """Remove the transaction, which identifies a command, from its fields and return it. Raises BadRequest."""
    transaction = fields.pop("transaction", None)
    if transaction is not None and (not isinstance(transaction, str) or not REQUEST_ID.fullmatch(transaction)):
        raise BadRequest(
            f"a transaction must be 1 to 36 characters of A-Z, a-z, 0-9, _ and -, not {quote_value(transaction)}"
        )
    return transaction


def digest(address: Address, payload: bytes, properties: Mapping[str, str]) -> bytes:
    """Return the SHA-256 of the whole request, by which a repetition is recognised."""
    head = f"{address.operation}/{address.person}/{sorted(properties.items())}/"
    return hashlib.sha256(head.encode(errors="surrogatepass") + payload).digest()


def _effect(message: Frame | Query, valid_for_s: float) -> Effect:
    address = message.address
    if address.key is None:
        raise BadRequest(
            f"{address.operation} needs a request id, so that it is done once: request/{address.operation}/<id>"
        )
    digest_of_all = digest(address, message.payload, message.properties)
    deadline, id_text = address.origin.received + valid_for_s, f"the request id {address.origin.request_id!r}"
    return Effect(address.key, digest_of_all, deadline, address.operation, id_text)


def _operation(address: Address) -> Operation:
    try:
        return Operation(address.operation)
    except ValueError:
        known = ", ".join(operation.value for operation in Operation)
        raise Unsupported(f"unknown operation {address.operation}: expected one of {known}") from None


def _options(operation: Operation, options: Mapping[str, Any], address: Address) -> dict[str, Any]:
    """Return the arguments of the request that are no pictures. Raises BadRequest."""
    # A camera may send fields of its own. But an operation that changes a person must not ignore a mistyped field.
    if operation is Operation.ENROLL and (unknown := sorted(options.keys() - OPTION_FIELDS)):
        found = ", ".join(ascii(name[:MAX_QUOTED_CHARACTERS]) for name in unknown[:3])
        raise BadRequest(
            f"unknown field: {found}; the fields of enroll are image, images, {', '.join(sorted(OPTION_FIELDS))}"
        )
    name = options.get("name") if operation is Operation.ENROLL else None
    person = options.get("person") if operation in (Operation.ENROLL, Operation.VERIFY) else None
    if person is None and name is None:
        person = address.person
    if person is not None and not isinstance(person, str):
        raise BadRequest(f"expected person as text, the id of a person, got {json_type_name(person)}")
    return {
        "person": person,
        "name": None if name is None else checked_name(name),
        "landmarks": read_landmarks(options.get("landmarks", False)),
        "annotate": read_flag("annotate", options.get("annotate", False)),
    }
