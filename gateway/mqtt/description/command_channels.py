"""The topics of commands, and the topics of the replies."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.contract.components import Components, Schema, fields_schema
from gateway.contract.errors import CommandErrorDocument
from gateway.contract.operations import ADMINISTRATION, SECRET_REPLIES, AnyOperation
from gateway.contract.summaries import SUMMARIES
from gateway.model import REQUEST_ID
from gateway.mqtt.description.camera_channels import with_bytes
from gateway.mqtt.description.channel import CBOR, JSON, Channel, Message

ROOTS = {"": "bridge", "user_": "bridge/user/{login}"}
"""The topics below which commands come: without a login in the topic, and with it. By the prefix of the names."""


def command_channels(components: Components) -> Iterator[Channel]:
    """Give the channels."""
    error = Message("command_error", JSON, components.ref(CommandErrorDocument))
    for prefix, root in ROOTS.items():
        yield Channel(f"{prefix}command_error", f"{root}/response", "The topic has no operation", "send", [error])
        for name, topic in (("", "{operation}"), ("s", "{group}/{operation}")):
            name, text = f"{prefix}unknown_command{name}", "The operation does not exist"
            yield Channel(name, f"{root}/response/{topic}", text, "send", [error])
        for operation, spec in ADMINISTRATION.items():
            # A token is only sent to the topic of a login.
            if not prefix and operation in SECRET_REPLIES:
                continue
            name = prefix + operation.replace("/", "_")
            replies = [Message(f"{name}_reply", JSON, components.command_reply_ref(spec.result)), error]
            yield Channel(
                f"{name}_request",
                f"{root}/request/{operation}",
                SUMMARIES.get(operation, operation),
                "receive",
                _requests(spec),
                reply=f"{name}_response",
            )
            answer = f"The reply to {operation}"
            yield Channel(f"{name}_response", f"{root}/response/{operation}", answer, "send", replies)


def _requests(spec: AnyOperation) -> list[Message]:
    fields = fields_schema(spec.fields)
    fields["properties"] = {**fields["properties"], "transaction": _transaction()}
    if spec.changes:
        fields["required"] = [*fields.get("required", ()), "transaction"]
    return [Message("fields", JSON, fields), Message("fields_cbor", CBOR, with_bytes(fields))]


def _transaction() -> Schema:
    text = "Repeated in the reply. A repeated change with the same transaction happens once."
    return {"type": "string", "pattern": f"^{REQUEST_ID.pattern}$", "description": text}
