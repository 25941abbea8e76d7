"""Bytes and topics on one side, requests and replies on the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.config import LimitSettings
from gateway.documents import dump, read_flag, read_landmarks, write_error, write_reply
from gateway.errors import BadRequest, Busy, GatewayError, NoFace, TooLarge, Unsupported
from gateway.model import RESERVED_CAMERAS, Comparison, Detection, Operation, Recognition, Reply, Request
from gateway.mqtt.payload import read_fields, read_picture
from gateway.mqtt.topics import Address

IGNORED = frozenset({"schema", "camera"})
"""The contract's own marks: a request may carry them, and it is the topic that says which camera it is."""

OPTIONS = frozenset({"annotate", "landmarks", "person"})
"""Fields beside the pictures; under MQTT 5 they may be user properties instead, where others are ignored."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """``document``: JSON in UTF-8. ``verdict``: at most 64 bytes of ASCII."""

    document: bytes
    verdict: str


def read(
    address: Address, payload: bytes, limits: LimitSettings, properties: Mapping[str, str], expiry: float | None
) -> Request:
    """``properties``: MQTT 5's user properties; ``expiry``: its Message Expiry in s. Raises BadRequest."""
    if address.fault:
        raise BadRequest(address.fault)
    operation = _operation(address)
    if len(payload) > limits.message_bytes:
        raise TooLarge(f"the payload has more than {limits.message_bytes} bytes")
    fields = {name: value for name, value in read_fields(payload).items() if name not in IGNORED}
    names = ("image1", "image2") if operation.pictures == 2 else ("image",)
    pictures = tuple(read_picture(fields.pop(name)) for name in names if name in fields)
    options = {name: value for name, value in properties.items() if name in OPTIONS} | fields
    return Request(
        operation=operation,
        pictures=pictures,
        good_for=limits.request_s if expiry is None else expiry,
        origin=address.origin,
        live=address.live,
        **_options(options, address),
    )


def write(request: Request, reply: Reply) -> Outbound:
    return Outbound(dump(write_reply(request, reply)), _verdict(reply))


def write_failure(address: Address, error: GatewayError) -> Outbound:
    return Outbound(dump(write_error(address.origin, address.operation, error)), _failure_verdict(error))


def _operation(address: Address) -> Operation:
    if address.origin.camera in RESERVED_CAMERAS:
        raise Unsupported("the bridge has no operations yet")
    try:
        return Operation(address.operation)
    except ValueError:
        known = ", ".join(operation.value for operation in Operation)
        raise Unsupported(f"there is no operation {address.operation}; there are {known}") from None


def _options(options: Mapping[str, Any], address: Address) -> dict[str, Any]:
    unknown = ", ".join(ascii(name)[:64] for name in sorted(options.keys() - OPTIONS)[:3])
    if unknown:
        raise BadRequest(f"there is no field {unknown} here")
    person = options.get("person", address.person)
    if person is not None and not isinstance(person, str):
        raise BadRequest("person is given as text")
    return {
        "person": person,
        "landmarks": read_landmarks(options.get("landmarks", False)),
        "annotate": read_flag("annotate", options.get("annotate", False)),
    }


def _verdict(reply: Reply) -> str:
    match reply:
        case Recognition():
            return _recognition_verdict(reply)
        case Comparison():
            return f"{'same' if reply.match else 'different'} {reply.score:.2f}"
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
