"""The names of a gateway in Home Assistant."""

from __future__ import annotations

import re

import pytest

from gateway.integrations.homeassistant.names import Names, camera_device, display_name, person_device


def test_topic_has_the_form_of_device_discovery() -> None:
    assert Names("facegate").topic(camera_device("porch")) == "homeassistant/device/facegate/camera_porch/config"
    assert Names("facegate").topic(person_device("porch")) == "homeassistant/device/facegate/person_porch/config"


@pytest.mark.parametrize("base", ["facegate", "home/facegate", "a/b/c/d"])
def test_topic_has_only_characters_that_home_assistant_takes(base: str) -> None:
    pattern = r"device/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+/config"
    assert re.fullmatch(pattern, Names(base).topic(camera_device("back-Yard_1")).removeprefix("homeassistant/"))


def test_gateways_on_similar_base_topics_have_different_devices() -> None:
    nodes = {Names(base).node for base in ("a/b", "a_b", "a-b", "a/b/c", "a_b/c")}
    assert len(nodes) == 5


def test_entity_ids_follow_the_base_topic() -> None:
    assert Names("home/Cams").entity_id("sensor", "back-Yard", "who") == "sensor.home_cams_back_yard_who"


def test_prefix_may_have_levels() -> None:
    names = Names("facegate", "smart/ha")
    assert names.topic("gateway") == "smart/ha/device/facegate/gateway/config"


@pytest.mark.parametrize(
    ("topic", "camera"),
    [
        ("homeassistant/device/facegate/camera_porch/config", "porch"),
        ("other/prefix/device/facegate/camera_porch/config", "porch"),
        ("homeassistant/device/facegate/camera_camera_1/config", "camera_1"),
        ("homeassistant/device/facegate/person_ada/config", None),
        ("homeassistant/device/facegate/gateway/config", None),
        ("homeassistant/device/another/camera_porch/config", None),
        ("homeassistant/device/facegate/camera_/config", None),
        ("camera_porch", None),
        ("", None),
    ],
)
def test_camera_is_read_from_the_topic_of_its_device(topic: str, camera: str | None) -> None:
    assert Names("facegate").read_camera(topic) == camera


@pytest.mark.parametrize(
    ("camera", "name"), [("porch", "Porch"), ("back_yard", "Back yard"), ("esp32-CAM", "Esp32 CAM"), ("_", "_")]
)
def test_display_name_has_spaces(camera: str, name: str) -> None:
    assert display_name(camera) == name
