"""Bytes and topics on one side, requests and replies on the other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.config import LimitSettings
from gateway.documents import SCHEMA, Document, details, dump, read_flag, read_landmarks, write_error, write_reply
from gateway.errors import BadRequest, Busy, GatewayError, NoFace, TooLarge, Unsupported
from gateway.model import (
    REQUEST_ID,
    Comparison,
    Detection,
    Effect,
    Enrolment,
    Operation,
    Recognition,
    Reply,
    Request,
    checked_name,
)
from gateway.mqtt.payload import read_fields, read_picture
from gateway.mqtt.topics import Address

IGNORED = frozenset({"schema", "camera"})
"""The contract's own marks: a request may carry them, and it is the topic that says which camera it is."""

OPTIONS = frozenset({"annotate", "landmarks", "name", "person"})
"""Fields beside the pictures; under MQTT 5 they may be user properties instead, where others are ignored."""


_IMAGE = re.compile(r"image\d{0,2}")


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
    pictures = _pictures(operation, fields)
    options = {name: value for name, value in properties.items() if name in OPTIONS} | fields
    return Request(
        operation=operation,
        pictures=pictures,
        good_for=good_for,
        origin=address.origin,
        live=address.live,
        effect=_effect(address, payload, properties, good_for) if operation is Operation.ENROLL else None,
        **_options(options, address),
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
    return Outbound(dump({"schema": SCHEMA, "data": document, "status": "ok", **_echo(transaction)}), "ok")


def write_refusal(error: GatewayError, transaction: str | None) -> Outbound:
    refusal = {"schema": SCHEMA, "data": {}, "status": "error", "error": str(error), "code": error.code}
    return Outbound(dump({**refusal, **details(error), **_echo(transaction)}), _failure_verdict(error))


def _echo(transaction: str | None) -> dict[str, str]:
    return {} if transaction is None else {"transaction": transaction}


def write(address: Address, reply: Reply) -> Outbound:
    return Outbound(dump(write_reply(address.origin, address.operation, reply)), _verdict(reply))


def write_failure(address: Address, error: GatewayError) -> Outbound:
    return Outbound(dump(write_error(address.origin, address.operation, error)), _failure_verdict(error))


def _operation(address: Address) -> Operation:
    try:
        return Operation(address.operation)
    except ValueError:
        known = ", ".join(operation.value for operation in Operation)
        raise Unsupported(f"there is no operation {address.operation}; there are {known}") from None


def _pictures(operation: Operation, fields: dict[str, Any]) -> tuple[bytes, ...]:
    """Takes them out of the fields."""
    if operation is Operation.ENROLL:
        return _all_pictures(fields)
    names = ("image1", "image2") if operation is Operation.FACE_MATCH else ("image",)
    return tuple(read_picture(fields.pop(name)) for name in names if name in fields)


def _all_pictures(fields: dict[str, Any]) -> tuple[bytes, ...]:
    """``image``, ``image1`` and so on (CBOR is flat), and those of ``images`` (JSON). Takes them out of the fields."""
    several = fields.pop("images", [])
    if not isinstance(several, list):
        raise BadRequest("images is a list of pictures")
    names = [name for name in fields if _IMAGE.fullmatch(name)]
    return tuple(map(read_picture, [*(fields.pop(name) for name in names), *several]))


def _options(options: Mapping[str, Any], address: Address) -> dict[str, Any]:
    unknown = ", ".join(ascii(name)[:64] for name in sorted(options.keys() - OPTIONS)[:3])
    if unknown:
        raise BadRequest(f"there is no field {unknown} here")
    name = options.get("name")
    person = options.get("person", None if name else address.person)
    if person is not None and not isinstance(person, str):
        raise BadRequest("person is given as text")
    return {
        "person": person,
        "name": None if name is None else checked_name(name),
        "landmarks": read_landmarks(options.get("landmarks", False)),
        "annotate": read_flag("annotate", options.get("annotate", False)),
    }


def _verdict(reply: Reply) -> str:
    match reply:
        case Recognition():
            return _recognition_verdict(reply)
        case Comparison():
            return f"{'same' if reply.match else 'different'} {reply.score:.2f}"
        case Enrolment():
            return f"enrolled {reply.person.slug}"
        case Detection():
            return f"faces {len(reply.faces)}" if reply.faces else "no_face"


def _recognition_verdict(reply: Recognition) -> str:
    best = reply.best.judgement if reply.best else None
    if best is None:
        return "no_face"
    return f"match {best.score:.2f} {best.person.slug}" if best.person else best.verdict


def _failure_verdict(error: GatewayError) -> str:
    if isinstance(error, Busy):
        return f"busy {error.retry_after}"
    return error.code if isinstance(error, NoFace) else f"error {error.code}"
