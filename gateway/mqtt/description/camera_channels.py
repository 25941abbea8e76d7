"""The topics on which cameras send pictures, and the topics of the replies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.contract.components import Components, Schema, fields_schema
from gateway.contract.errors import ErrorDocument
from gateway.contract.operations import RECOGNITION, AnyOperation
from gateway.contract.replies import RecognitionDocument
from gateway.contract.summaries import SUMMARIES
from gateway.contract.verdict import VerdictLine
from gateway.model import Operation
from gateway.mqtt.codec.inbound import OPTION_FIELDS
from gateway.mqtt.description.channel import CBOR, JPEG, JSON, PICTURE, TEXT, Channel, Message

NAMES_PERSON = (Operation.VERIFY, Operation.ENROLL)
"""The operations whose last topic level may be the id of a person."""


def camera_channels(components: Components) -> Iterator[Channel]:
    """Give the channels."""
    verdict = Message("verdict", TEXT, components.ref(VerdictLine))
    error = Message("error", JSON, components.ref(ErrorDocument))
    result = Message("result", JSON, components.ref(RecognitionDocument))
    yield Channel("frame", "{camera}/frame", "A live picture; the newest one counts", "receive", _picture(), qos=0)
    yield Channel("result", "{camera}/result", "The result of a live picture", "send", [result, error], qos=0)
    yield Channel("frame_verdict", "{camera}/verdict", "The result of a live picture in words", "send", [verdict], 0)
    yield Channel("verdict", "{camera}/verdict/{id}", "The reply to a request in words", "send", [verdict])
    yield Channel("request_error", "{camera}/response", "The topic has no operation", "send", [error])
    for name, topic in (("", "{camera}/response/{operation}"), ("_id", "{camera}/response/{operation}/{id}")):
        yield Channel(f"unknown_operation{name}", topic, "The operation does not exist", "send", [error])
    yield Channel(
        "part",
        "{camera}/part/{number}/{count}/{operation}/{id}",
        "A piece of the payload of a request",
        "receive",
        [Message("piece", "application/octet-stream", PICTURE)],
    )
    yield Channel(
        "part_person",
        "{camera}/part/{number}/{count}/{operation}/{id}/{person}",
        "A piece of the payload of a request about a person",
        "receive",
        [Message("piece", "application/octet-stream", PICTURE)],
    )
    for operation, spec in RECOGNITION.items():
        yield from _operation_channels(operation, spec, error, components)


def _operation_channels(
    operation: Operation, spec: AnyOperation, error: Message, components: Components
) -> Iterator[Channel]:
    """Give the topics of requests for an operation, and of its replies."""
    word, summary = operation.value, SUMMARIES[operation.value]
    requests, topic = _requests(spec), f"{{camera}}/request/{operation.value}"
    replies = [Message(f"{word}_reply", JSON, components.ref(spec.result)), error]
    yield Channel(f"{word}_request", topic, summary, "receive", requests, reply=f"{word}_response")
    yield Channel(f"{word}_request_id", f"{topic}/{{id}}", summary, "receive", requests, reply=f"{word}_response_id")
    if operation in NAMES_PERSON:
        yield Channel(
            f"{word}_request_person",
            f"{topic}/{{id}}/{{person}}",
            summary,
            "receive",
            [*_picture(), *requests],
            reply=f"{word}_response_id",
        )
    answer = f"The reply to {word}"
    yield Channel(f"{word}_response", f"{{camera}}/response/{word}", answer, "send", replies)
    yield Channel(f"{word}_response_id", f"{{camera}}/response/{word}/{{id}}", answer, "send", replies)


def _requests(spec: AnyOperation) -> list[Message]:
    """Return the kinds of requests for an operation: fields with the pictures, or only a picture if that is enough."""
    fields = fields_schema(spec.fields)
    if not spec.changes:
        # The state of a camera, such as its battery, may stand beside the pictures.
        fields.pop("additionalProperties")
    options = {name: each for name, each in fields["properties"].items() if name in OPTION_FIELDS}
    in_json = Message("fields", JSON, fields)
    in_cbor = Message("fields_cbor", CBOR, with_bytes(fields))
    if "image1" in fields["properties"]:
        return [in_json, in_cbor]
    return [*_picture(options), in_json, in_cbor]


def with_bytes(fields: Schema) -> Schema:
    """Return the schema of fields in CBOR, where a file is bytes instead of base64."""
    properties: Mapping[str, Schema] = fields["properties"]
    return {**fields, "properties": {name: _bytes_field(each) for name, each in properties.items()}}


def _bytes_field(field: Schema) -> Schema:
    if "items" in field:
        return {**field, "items": _bytes_field(field["items"])}
    return PICTURE if "contentEncoding" in field else field


def _picture(options: Schema | None = None) -> list[Message]:
    properties = {"type": "object", "properties": options} if options else None
    return [Message("picture", JPEG, PICTURE, properties)]
