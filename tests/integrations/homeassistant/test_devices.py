"""The descriptions of devices, field by field, against the keys that Home Assistant accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pytest

from gateway.contract.base import dump
from gateway.integrations.homeassistant.devices import describe_camera, describe_gateway, describe_person
from gateway.integrations.homeassistant.names import Names
from gateway.model import Person
from gateway.model.sightings import EventType

Fields = Mapping[str, Any]

NAMES = Names("facegate")
DEVICES: Mapping[str, Fields] = {
    "gateway": describe_gateway(NAMES),
    "camera": describe_camera(NAMES, "back_yard", snapshot=True),
    "camera without pictures": describe_camera(NAMES, "back_yard", snapshot=False),
    "person": describe_person(NAMES, Person("ada_lovelace", "Ada Lovelace")),
}

# Home Assistant 2026.2.3, homeassistant/components/mqtt: DEVICE_DISCOVERY_SCHEMA, MQTT_ENTITY_DEVICE_INFO_SCHEMA and
# MQTT_ORIGIN_INFO_SCHEMA in schemas.py, PLATFORM_SCHEMA_MODERN in the module of each platform. Without the keys that
# are deprecated there (object_id), and without those that make an entity unavailable (expire_after).
ROOT_KEYS = {
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "command_topic",
    "components",
    "device",
    "encoding",
    "origin",
    "payload_available",
    "payload_not_available",
    "qos",
    "state_topic",
}
DEVICE_KEYS = {
    "configuration_url",
    "connections",
    "hw_version",
    "identifiers",
    "manufacturer",
    "model",
    "model_id",
    "name",
    "serial_number",
    "suggested_area",
    "sw_version",
    "via_device",
}
ORIGIN_KEYS = {"name", "support_url", "sw_version"}
AVAILABILITY_KEYS = {"payload_available", "payload_not_available", "topic", "value_template"}
COMMON_KEYS = {
    "default_entity_id",
    "enabled_by_default",
    "encoding",
    "entity_category",
    "entity_picture",
    "icon",
    "json_attributes_template",
    "json_attributes_topic",
    "name",
    "platform",
    "qos",
    "unique_id",
}
PLATFORM_KEYS = {
    "binary_sensor": {
        "device_class",
        "force_update",
        "off_delay",
        "payload_off",
        "payload_on",
        "state_topic",
        "value_template",
    },
    "event": {"device_class", "event_types", "state_topic", "value_template"},
    "image": {"content_type", "image_encoding", "image_topic", "url_template", "url_topic"},
    "sensor": {
        "device_class",
        "force_update",
        "last_reset_value_template",
        "options",
        "state_class",
        "state_topic",
        "suggested_display_precision",
        "unit_of_measurement",
        "value_template",
    },
    "switch": {
        "command_template",
        "command_topic",
        "device_class",
        "optimistic",
        "payload_off",
        "payload_on",
        "retain",
        "state_off",
        "state_on",
        "state_topic",
        "value_template",
    },
}
REQUIRED_KEYS = {
    "binary_sensor": {"state_topic"},
    "event": {"state_topic", "event_types"},
    "image": {"image_topic"},
    "sensor": {"state_topic"},
    # Without a state topic a switch shows what was asked for, not what is.
    "switch": {"command_topic", "state_topic"},
}

every_device = pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES.keys())


def entities(device: Fields) -> Iterator[Fields]:
    """Give the entities of a device, without the removed ones."""
    yield from (each for each in device["components"].values() if len(each) > 1)


def topics(fields: object) -> Iterator[str]:
    """Give the values of all keys that name a topic."""
    if isinstance(fields, Mapping):
        for key, value in fields.items():
            if key.endswith("topic"):
                yield value
            yield from topics(value)
    elif isinstance(fields, list):
        for each in fields:
            yield from topics(each)


@every_device
def test_device_has_no_key_that_home_assistant_rejects(device: Fields) -> None:
    """Home Assistant rejects the whole device for one unknown key at the root, in ``device`` or in ``origin``."""
    assert set(device) <= ROOT_KEYS
    assert {"device", "origin", "components"} <= set(device)
    assert set(device["device"]) <= DEVICE_KEYS
    assert set(device["origin"]) <= ORIGIN_KEYS
    assert all(set(each) <= AVAILABILITY_KEYS for each in device["availability"])


@every_device
def test_entity_has_only_keys_of_its_platform(device: Fields) -> None:
    for entity in entities(device):
        platform = entity["platform"]
        assert set(entity) <= COMMON_KEYS | PLATFORM_KEYS[platform], entity
        assert set(entity) >= {"unique_id", "default_entity_id", "name"} | REQUIRED_KEYS[platform], entity


@every_device
def test_device_is_available_while_the_gateway_is_online(device: Fields) -> None:
    """The only condition: an entity is never unavailable because nobody is there."""
    assert device["availability"] == [{"topic": "facegate/bridge/state", "value_template": "{{ value_json.state }}"}]
    assert not [entity for entity in entities(device) if any("availab" in key for key in entity)]


@every_device
def test_keys_of_a_device_are_not_abbreviated(device: Fields) -> None:
    """Home Assistant would accept abbreviations, but people read these documents too."""
    assert all(len(key) > 2 for key in [*device, *device["device"], *device["origin"]])


def test_ids_of_all_entities_are_different() -> None:
    """Also those of a camera and a person of one name."""
    names = Names("facegate")
    devices = [
        describe_gateway(names),
        describe_camera(names, "porch", snapshot=True),
        describe_person(names, Person("porch", "Porch")),
    ]
    all_entities = [entity for device in devices for entity in entities(device)]
    assert len({entity["unique_id"] for entity in all_entities}) == len(all_entities)
    assert len({entity["default_entity_id"] for entity in all_entities}) == len(all_entities)
    assert len({str(device["device"]["identifiers"]) for device in devices}) == len(devices)


def test_ids_of_a_device_do_not_change_with_the_name() -> None:
    one = describe_person(NAMES, Person("ada_lovelace", "Ada Lovelace"))
    other = describe_person(NAMES, Person("ada_lovelace", "Ada King"))
    assert one["components"] == other["components"]
    assert one["device"]["identifiers"] == other["device"]["identifiers"]
    assert (one["device"]["name"], other["device"]["name"]) == ("Ada Lovelace", "Ada King")


@every_device
def test_default_entity_id_is_one_that_home_assistant_takes(device: Fields) -> None:
    for entity in entities(device):
        domain, _, name = entity["default_entity_id"].partition(".")
        assert domain == entity["platform"]
        assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name), name


def test_entities_of_a_camera_have_the_documented_ids() -> None:
    assert {entity["default_entity_id"] for entity in entities(DEVICES["camera"])} == {
        "sensor.facegate_back_yard_who",
        "binary_sensor.facegate_back_yard_someone",
        "binary_sensor.facegate_back_yard_stranger",
        "event.facegate_back_yard_sighting",
        "image.facegate_back_yard_last_sighting",
        "switch.facegate_back_yard_recognition",
        "binary_sensor.facegate_back_yard_connected",
        "sensor.facegate_back_yard_last_frame",
    }
    assert DEVICES["camera"]["device"]["name"] == "Back yard"


def test_picture_is_removed_where_none_is_published() -> None:
    """An entity with its platform alone is removed. An entity that is only missing would stay unavailable."""
    assert DEVICES["camera without pictures"]["components"]["last_sighting"] == {"platform": "image"}
    assert set(DEVICES["camera without pictures"]["components"]) == set(DEVICES["camera"]["components"])


def test_event_lists_every_type() -> None:
    """Home Assistant refuses an event of a type that is not in this list."""
    assert DEVICES["camera"]["components"]["sighting"]["event_types"] == list(get_args(EventType))


@every_device
def test_topics_are_those_of_the_gateway(device: Fields) -> None:
    assert all(topic.startswith("facegate/") for topic in topics(device))


@every_device
def test_device_belongs_to_the_gateway(device: Fields) -> None:
    is_gateway = device is DEVICES["gateway"]
    assert device["device"].get("via_device") == (None if is_gateway else "facegate_facegate_gateway")


@every_device
def test_description_is_json_of_moderate_size(device: Fields) -> None:
    payload = dump(device)
    assert json.loads(payload) == device
    assert len(payload) < 4096
