"""Bytes and topics on one side, requests and replies on the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.config import LimitSettings
from gateway.contract.base import Document, dump
from gateway.contract.errors import write_command_error, write_command_reply, write_error
from gateway.contract.reading import read_flag, read_landmarks
from gateway.contract.replies import write_reply
from gateway.contract.verdict import write_error_verdict, write_verdict
from gateway.errors import BadRequest, GatewayError, TooLarge, Unsupported
from gateway.formats.text_encodings import json_type_name
from gateway.model import (
    REQUEST_ID,
    Effect,
    Operation,
    Reply,
    Request,
)
from gateway.model.names import checked_name
from gateway.mqtt.codec.payload import read_fields
from gateway.mqtt.codec.pictures import take_pictures
from gateway.mqtt.codec.topics import Address

IGNORED = frozenset({"schema", "camera", "file_format"})
"""Marks of the contract and of REST. The topic says which camera it is, and its first bytes the format of a picture."""

OPTIONS = frozenset({"annotate", "landmarks", "name", "person"})
"""Fields beside the pictures; under MQTT 5 they may be user properties instead."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """``document``: JSON in UTF-8. ``verdict``: at most 64 bytes of ASCII."""

    document: bytes
    verdict: str


def read(
    address: Address, payload: bytes, limits: LimitSettings, properties: Mapping[str, str], good_for: float
) -> Request:
    """``properties``: MQTT 5's user properties; ``good_for``: seconds in which to answer. Raises BadRequest."""
    if address.fault:
        raise BadRequest(address.fault)
    operation = _operation(address)
    if len(payload) > limits.message_bytes:
        raise TooLarge(f"the payload has more than {limits.message_bytes} bytes")
    fields = {name: value for name, value in read_fields(payload).items() if name not in IGNORED}
    pictures = take_pictures(fields)
    options = {name: value for name, value in properties.items() if name in OPTIONS} | fields
    return Request(
        operation=operation,
        pictures=pictures,
        valid_for_s=good_for,
        origin=address.origin,
        live=address.live,
        effect=_effect(address, payload, properties, good_for) if operation is Operation.ENROLL else None,
        **_options(operation, options, address),
    )


def _effect(address: Address, payload: bytes, properties: Mapping[str, str], good_for: float) -> Effect:
    if address.key is None:
        raise BadRequest(f"{address.operation} needs an id, by which it is done once: request/{address.operation}/<id>")
    return Effect(address.key, digest(address, payload, properties), address.origin.received + good_for)


def digest(address: Address, payload: bytes, properties: Mapping[str, str]) -> bytes:
    """Of all that was asked."""
    head = f"{address.operation}/{address.person}/{sorted(properties.items())}/"
    return hashlib.sha256(head.encode(errors="surrogatepass") + payload).digest()


def read_transaction(fields: dict[str, Any]) -> str | None:
    """By which the answer is known again; taken out of the fields. Raises BadRequest."""
    transaction = fields.pop("transaction", None)
    if transaction is not None and (not isinstance(transaction, str) or not REQUEST_ID.fullmatch(transaction)):
        raise BadRequest("a transaction is 1 to 36 of A-Z, a-z, 0-9, _ and -")
    return transaction


def read_command(address: Address, payload: bytes, limits: LimitSettings) -> dict[str, Any]:
    """The fields of what the bridge is asked for. Raises BadRequest."""
    if address.fault:
        raise BadRequest(address.fault)
    if len(payload) > limits.message_bytes:
        raise TooLarge(f"the payload has more than {limits.message_bytes} bytes")
    return {name: value for name, value in read_fields(payload or b"{}").items() if name not in IGNORED}


def write_done(document: Document, transaction: str | None) -> Outbound:
    return Outbound(dump(write_command_reply(document, transaction)), "ok")


def write_refusal(error: GatewayError, transaction: str | None) -> Outbound:
    return Outbound(dump(write_command_error(error, transaction)), write_error_verdict(error))


def write(address: Address, reply: Reply) -> Outbound:
    return Outbound(dump(write_reply(address.origin, address.operation, reply)), write_verdict(reply))


def write_failure(address: Address, error: GatewayError) -> Outbound:
    return Outbound(dump(write_error(address.origin, address.operation, error)), write_error_verdict(error))


def _operation(address: Address) -> Operation:
    try:
        return Operation(address.operation)
    except ValueError:
        known = ", ".join(operation.value for operation in Operation)
        raise Unsupported(f"there is no operation {address.operation}; there are {known}") from None


def _options(operation: Operation, options: Mapping[str, Any], address: Address) -> dict[str, Any]:
    """Those that the operation takes. Other fields of a camera are its own affair, but not where it changes somebody:
    a mistyped name would be lost.
    """
    if operation is Operation.ENROLL and (unknown := sorted(options.keys() - OPTIONS)):
        raise BadRequest(f"unknown field: {', '.join(ascii(name)[:64] for name in unknown[:3])}")
    name = options.get("name") if operation is Operation.ENROLL else None
    person = options.get("person") if operation in (Operation.ENROLL, Operation.VERIFY) else None
    if person is None and name is None:
        person = address.person
    if person is not None and not isinstance(person, str):
        raise BadRequest(f"person is given as text, and not as {json_type_name(person)}")
    return {
        "person": person,
        "name": None if name is None else checked_name(name),
        "landmarks": read_landmarks(options.get("landmarks", False)),
        "annotate": read_flag("annotate", options.get("annotate", False)),
    }
