"""The AsyncAPI document describes every topic."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from gateway.contract.components import Components
from gateway.contract.operations import ADMINISTRATION, RECOGNITION, SECRET_REPLIES
from gateway.mqtt.codec.live_topics import LiveTopics
from gateway.mqtt.codec.topics import Topics
from gateway.mqtt.description.asyncapi import describe_channels, describe_mqtt
from gateway.mqtt.description.channel import PARAMETERS, Channel

CHANNELS = describe_channels(Components())
VALUES = {"number": "0", "count": "3", "operation": "face_rec"}
TOPICS, LIVE = Topics("home/faces"), LiveTopics("home/faces")


@cache
def document() -> dict[str, Any]:
    return describe_mqtt("home/faces")


def filled(channel: Channel) -> str:
    """Return a topic of the channel."""
    return "home/faces/" + re.sub(r"\{(\w+)\}", lambda found: VALUES.get(found[1], "porch"), channel.topic)


def test_names_of_channels_are_unique() -> None:
    assert len({each.name for each in CHANNELS}) == len(CHANNELS) == len(document()["channels"])
    assert len({each.topic for each in CHANNELS}) == len(CHANNELS)


def test_channels_have_known_parameters_and_replies_that_exist() -> None:
    operations = document()["operations"]
    for channel in CHANNELS:
        assert set(channel.parameters) <= set(PARAMETERS), channel.name
        assert channel.reply is None or f"send_{channel.reply}" in operations, channel.name


def test_gateway_reads_each_topic_and_replies_as_described() -> None:
    by_name = {each.name: each for each in CHANNELS}
    read = [each for each in CHANNELS if each.action == "receive" and not each.topic.endswith("/enabled/set")]
    assert len(read) > 50
    for channel in read:
        address = TOPICS.read(filled(channel))
        assert address is not None, channel.name
        assert address.fault is None, channel.name
        if channel.reply is not None:
            assert address.reply_topic == filled(by_name[channel.reply]), channel.name


def test_gateway_reads_no_topic_on_which_it_sends() -> None:
    for channel in CHANNELS:
        if channel.action == "send":
            assert TOPICS.read(filled(channel)) is None, channel.topic


def test_every_operation_has_its_topics() -> None:
    topics = {each.topic for each in CHANNELS}
    for operation in (*ADMINISTRATION, *(each.value for each in RECOGNITION)):
        roots = ["bridge", "bridge/user/{login}"] if operation in ADMINISTRATION else ["{camera}"]
        for root in roots:
            expected = {f"{root}/request/{operation}", f"{root}/response/{operation}"}
            # A token is only sent to the topic of a login.
            is_refused = root == "bridge" and operation in SECRET_REPLIES
            assert expected.isdisjoint(topics) if is_refused else expected <= topics, expected


def test_topics_of_announcements_are_those_of_the_code() -> None:
    topics = {filled(each) for each in CHANNELS if each.action == "send"}
    assert {
        LIVE.event("porch"), LIVE.present("porch"), LIVE.snapshot("porch"), LIVE.state("porch"), LIVE.switch("porch"),
        LIVE.switch("bridge"), LIVE.person("porch"), TOPICS.state, TOPICS.info, TOPICS.health,
        TOPICS.loopback("porch"),
    } <= topics  # fmt: skip


def test_operation_that_changes_something_needs_a_transaction() -> None:
    (fields, _) = message_payloads("people_rename_request")
    assert fields["required"] == ["person", "name", "transaction"]
    (fields, _) = message_payloads("people_list_request")
    assert "required" not in fields


def message_payloads(channel: str) -> list[dict[str, Any]]:
    return [each["payload"] for each in document()["channels"][channel]["messages"].values()]


def test_references_lead_somewhere() -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document())):
        part: Any = document()
        for name in reference.split("/"):
            part = part[name]


def test_texts_have_no_marks_of_docstrings() -> None:
    assert "``" not in json.dumps(document())


def test_last_will_is_described() -> None:
    will = document()["servers"]["broker"]["bindings"]["mqtt"]["lastWill"]
    assert will["topic"] == "home/faces/bridge/state"
    assert json.loads(will["message"]) == {"state": "offline"}
