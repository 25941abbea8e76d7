"""The check that answers and messages are as OpenAPI and AsyncAPI describe them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from gateway.mqtt.description.asyncapi import describe_mqtt
from gateway.rest.description.openapi import describe_rest

PROBLEM = {"$ref": "#/components/schemas/ProblemDocument"}
BASE = "(?P<base>(?:[^/]+/)+?)"
"""The base topic of any gateway, which may have several levels."""


def faults_of_answer(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Return what is not described about an answer over REST. ``path``: without the query."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip()
    methods = next((each for pattern, each in _paths() if pattern.fullmatch(path)), None)
    operation = (methods or {}).get("get" if method == "HEAD" else method.lower())
    if operation is None:
        # An unknown path, a method that the path does not have, or a preflight of a browser.
        if method == "OPTIONS":
            return []
        if status not in (400, 401, 403, 404, 405, 413):
            return [f"status {status} of a route that is not described"]
        return _faults(json.loads(body), PROBLEM, describe_rest()) if body else []
    answer = operation["responses"].get(str(status))
    if answer is None:
        return [f"status {status} is not described"]
    answer = _resolved(answer, describe_rest())
    needed = [name for name, each in answer.get("headers", {}).items() if each.get("required")]
    missing = [f"the header {name} is missing" for name in needed if not _has(headers, name)]
    if "content" not in answer or method == "HEAD":
        return missing
    if kind not in answer["content"]:
        return [*missing, f"the type {kind!r} is not described for status {status}"]
    return [*missing, *_content_faults(kind, body, answer["content"][kind]["schema"], describe_rest())]


def faults_of_message(topic: str, payload: bytes, qos: int) -> list[str]:
    """Return what is not described about a message that the gateway published. ``qos``: at most that of the sender."""
    channel = _find_channel(topic)
    if channel is None:
        return ["the topic is not described"]
    # An empty message clears a retained one.
    return [] if not payload and channel.retain else _message_faults(payload, qos, channel)


def _find_channel(topic: str) -> _SentChannel | None:
    """Return the channel of a topic: of several, the one with the shortest base topic and the fewest parameters."""
    found = [
        (len(match["base"]), n, each) for n, each in enumerate(_channels()) if (match := each.pattern.fullmatch(topic))
    ]
    return min(found)[2] if found else None


def faults_of_chosen_reply(_topic: str, payload: bytes, qos: int) -> list[str]:
    """Return what is not described about a reply on the Response Topic of a request: each reply may come there."""
    found = [_message_faults(payload, qos, each) for each in _channels() if "/response" in each.pattern.pattern]
    return min(found, key=len)


def _message_faults(payload: bytes, qos: int, channel: _SentChannel) -> list[str]:
    faults = [f"QoS {qos}, and {channel.qos} is described"] if qos > channel.qos else []
    # A channel has several kinds of messages: the reply, and the error.
    tries = [_content_faults(kind, payload, schema, describe_mqtt()) for kind, schema in channel.messages]
    return [*faults, *min(tries, key=len)]


@dataclass(frozen=True, slots=True)
class _SentChannel:
    pattern: re.Pattern[str]
    qos: int
    retain: bool
    messages: list[tuple[str, dict[str, Any]]]


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Return the described paths. A path without parameters comes before one that also fits."""
    paths = sorted(describe_rest()["paths"].items(), key=lambda each: each[0].count("{"))
    return [(re.compile(_pattern(path)), methods) for path, methods in paths]


@cache
def _channels() -> list[_SentChannel]:
    """Return the channels on which the gateway sends, the one with the fewest parameters first."""
    document, found = describe_mqtt(), []
    for name, channel in document["channels"].items():
        if operation := document["operations"].get(f"send_{name}"):
            topic = channel["address"].partition("/")[2]
            binding = operation["bindings"]["mqtt"]
            messages = [(each["contentType"], each["payload"]) for each in channel["messages"].values()]
            found.append(
                (topic, _SentChannel(re.compile(BASE + _pattern(topic)), binding["qos"], binding["retain"], messages))
            )
    return [each for _, each in sorted(found, key=lambda each: (each[0].count("{"), -each[0].count("/")))]


def _pattern(template: str) -> str:
    return re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))


def _content_faults(kind: str, body: bytes, schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    if kind.endswith("json"):
        return _faults(json.loads(body), schema, document)
    if kind.startswith("text/"):
        return _faults(body.decode(), schema, document)
    return [] if body else ["the content is empty"]


def _faults(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    return [
        f"{error.json_path}: {error.message[:300]}"
        for error in _validator(json.dumps(schema), document).iter_errors(value)
    ]


_VALIDATORS: dict[tuple[str, int], Draft202012Validator] = {}


def _validator(schema: str, document: dict[str, Any]) -> Draft202012Validator:
    # References of the schema lead into the document.
    key = schema, id(document)
    if key not in _VALIDATORS:
        _VALIDATORS[key] = Draft202012Validator({**json.loads(schema), "components": document["components"]})
    return _VALIDATORS[key]


def _resolved(answer: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference = answer.get("$ref", "").removeprefix("#/components/responses/")
    found: dict[str, Any] = document["components"]["responses"][reference] if reference else answer
    return found


def _has(headers: Mapping[str, str], name: str) -> bool:
    return name.lower() in {each.lower() for each in headers}
