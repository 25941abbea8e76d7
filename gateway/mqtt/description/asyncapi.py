"""The description of the MQTT interface as a document of AsyncAPI 3."""

from __future__ import annotations

from functools import cache

from gateway import __version__
from gateway.contract.components import Components, Schema
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.description.announcement_channels import announcement_channels
from gateway.mqtt.description.camera_channels import camera_channels
from gateway.mqtt.description.channel import PARAMETERS, Channel, Message
from gateway.mqtt.description.command_channels import command_channels

ASYNCAPI_VERSION = "3.0.0"
BINDING_VERSION = "0.2.0"

DEFAULT_BASE = "facegate"

DESCRIPTION = """The topics on which the gateway reads and writes. `send` and `receive` are actions of the gateway: a
camera publishes where the gateway receives. The reply to a request comes on the topic with `response` in the place of
`request`, or on the Response Topic of MQTT 5. The same operations exist over REST: `/openapi.json` describes that
interface.

Later versions may add fields to documents: ignore fields that you do not know."""


def describe_channels(components: Components) -> list[Channel]:
    """Return all channels."""
    return [*camera_channels(components), *command_channels(components), *announcement_channels(components)]


@cache
def describe_mqtt(base: str = DEFAULT_BASE, server: str = "localhost:1883") -> Schema:
    """Return the AsyncAPI document. ``base``: the setting ``mqtt.base``. ``server``: the broker with its port."""
    components = Components()
    channels = describe_channels(components)
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Facegate",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": _server(base, server)},
        "channels": {each.name: _channel(base, each) for each in channels},
        "operations": {f"{each.action}_{each.name}": _operation(each) for each in channels},
        "components": {"schemas": components.schemas()},
    }


def _server(base: str, server: str) -> Schema:
    will = {"topic": Topics(base).state, "qos": 1, "message": '{"state":"offline"}', "retain": True}
    return {
        "host": server,
        "protocol": "mqtt",
        "description": "The broker. MQTT 3.1.1 and 5.",
        "bindings": {"mqtt": {"lastWill": will, "bindingVersion": BINDING_VERSION}},
    }


def _channel(base: str, channel: Channel) -> Schema:
    described: Schema = {
        "address": f"{base}/{channel.topic}",
        "title": channel.summary,
        "messages": {each.name: _message(each) for each in channel.messages},
    }
    if names := channel.parameters:
        described["parameters"] = {name: {"description": PARAMETERS[name]} for name in names}
    return described


def _message(message: Message) -> Schema:
    described: Schema = {"name": message.name, "contentType": message.kind, "payload": message.payload}
    return described if message.options is None else {**described, "headers": message.options}


def _operation(channel: Channel) -> Schema:
    described: Schema = {
        "action": channel.action,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.summary,
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{each.name}"} for each in channel.messages],
        "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retain, "bindingVersion": BINDING_VERSION}},
    }
    if channel.reply:
        described["reply"] = {"channel": {"$ref": f"#/channels/{channel.reply}"}}
    return described
