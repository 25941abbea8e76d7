"""A real Home Assistant beside a real gateway with real photographs.

The tests run in their order: each goes on with what the one before has left.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.integrations.homeassistant.household import Household
from tests.integrations.homeassistant.real import UNAVAILABLE, became_unavailable
from tests.support import Client, broker_running, wait_for

pytestmark = pytest.mark.extra

QUIET = {
    "sensor.facegate_{}_who": "nobody",
    "binary_sensor.facegate_{}_someone": "off",
    "binary_sensor.facegate_{}_stranger": "off",
    "binary_sensor.facegate_{}_connected": "on",
    "switch.facegate_{}_recognition": "on",
}
GATEWAY = {
    "binary_sensor.facegate_health": "off",
    "sensor.facegate_known_people": "3",
    "switch.facegate_recognition": "on",
}
DEVICES = {
    "Facegate": "",
    "Porch": "Facegate",
    "Yard": "Facegate",
    "Barack Obama": "Facegate",
    "Grace Hopper": "Facegate",
    "Joe Biden": "Facegate",
}


def quiet(camera: str) -> dict[str, str]:
    return {entity.format(camera): state for entity, state in QUIET.items()}


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Household]:
    with broker_running(tmp_path_factory.mktemp("broker")) as broker:
        household = Household(tmp_path_factory.mktemp("household"), broker)
        try:
            household.start()
            yield household
        finally:
            household.stop()


@pytest.fixture
def _always_available(household: Household) -> Iterator[None]:
    """No entity becomes unavailable during the test."""
    start = len(household.homeassistant.history)
    yield
    assert became_unavailable(household.homeassistant.history[start:], "facegate") == []


@pytest.mark.usefixtures("_always_available")
def test_two_cameras_and_three_people_appear(household: Household) -> None:
    homeassistant = household.homeassistant
    homeassistant.wait_for_states({**quiet("porch"), **quiet("yard"), **GATEWAY})
    for person in ("barack_obama", "grace_hopper", "joe_biden"):
        homeassistant.wait_for_states(
            {
                f"binary_sensor.facegate_{person}_present": "off",
                f"sensor.facegate_{person}_camera": "unknown",
                f"sensor.facegate_{person}_last_seen": "unknown",
            }
        )
    assert homeassistant.devices() == DEVICES
    assert "Invalid MQTT device discovery payload" not in homeassistant.log


@pytest.mark.usefixtures("_always_available")
def test_entities_follow_a_visit(household: Household) -> None:
    homeassistant, porch = household.homeassistant, household.cameras["porch"]
    porch.show("obama_1")
    homeassistant.wait_for_states(
        {
            "sensor.facegate_porch_who": "Barack Obama",
            "binary_sensor.facegate_porch_someone": "on",
            "binary_sensor.facegate_porch_stranger": "off",
            "binary_sensor.facegate_barack_obama_present": "on",
            "sensor.facegate_barack_obama_camera": "porch",
            "binary_sensor.facegate_grace_hopper_present": "off",
            **quiet("yard"),
        }
    )
    event = homeassistant.attributes("event.facegate_porch_sighting")
    assert (event["event_type"], event["person"], event["camera"]) == ("recognised", "barack_obama", "porch")
    assert event["visit"] == event["sighting"]
    assert homeassistant.picture("image.facegate_porch_last_sighting").startswith(b"\xff\xd8\xff")
    porch.show("empty_1")
    homeassistant.wait_for_states(
        {
            **quiet("porch"),
            "binary_sensor.facegate_barack_obama_present": "off",
            # Where somebody was last is another fact than being there.
            "sensor.facegate_barack_obama_camera": "porch",
        }
    )
    wait_for(lambda: homeassistant.attributes("event.facegate_porch_sighting")["event_type"] == "ended")
    ended = homeassistant.attributes("event.facegate_porch_sighting")
    assert (ended["sighting"], ended["outcome"], ended["reason"]) == (event["sighting"], "named", "left")


@pytest.mark.usefixtures("_always_available")
def test_stranger_has_an_entity_of_their_own(household: Household) -> None:
    homeassistant, yard = household.homeassistant, household.cameras["yard"]
    yard.show("stranger_1")
    homeassistant.wait_for_states(
        {
            "sensor.facegate_yard_who": "1 stranger",
            "binary_sensor.facegate_yard_stranger": "on",
            "sensor.facegate_strangers": "1",
            **quiet("porch"),
        }
    )
    yard.show("empty_1")
    homeassistant.wait_for_states(quiet("yard"))


@pytest.mark.usefixtures("_always_available")
def test_switch_ends_the_recognition_of_a_camera(household: Household) -> None:
    homeassistant, porch = household.homeassistant, household.cameras["porch"]
    porch.show("obama_2")
    homeassistant.wait_for_states({"sensor.facegate_porch_who": "Barack Obama"})
    for switch in ("switch.facegate_porch_recognition", "switch.facegate_recognition"):
        homeassistant.call("switch.turn_off", entity_id=switch)
        homeassistant.wait_for_states({switch: "off", "sensor.facegate_porch_who": "nobody"})
        homeassistant.wait_for_states({"binary_sensor.facegate_barack_obama_present": "off"})
        homeassistant.call("switch.turn_on", entity_id=switch)
        homeassistant.wait_for_states({switch: "on", "sensor.facegate_porch_who": "Barack Obama"})


def test_states_are_right_after_a_restart_of_home_assistant(household: Household) -> None:
    """Also those that came while it was away."""
    homeassistant = household.homeassistant
    homeassistant.wait_for_states({"sensor.facegate_porch_who": "Barack Obama"})
    homeassistant.stop()
    household.cameras["porch"].show("empty_1")
    household.cameras["yard"].show("obama_1")
    homeassistant.start()
    homeassistant.wait_for_states(
        {
            **quiet("porch"),
            **GATEWAY,
            "sensor.facegate_yard_who": "Barack Obama",
            "binary_sensor.facegate_barack_obama_present": "on",
            "sensor.facegate_barack_obama_camera": "yard",
            "sensor.facegate_joe_biden_camera": "unknown",
        }
    )
    assert homeassistant.devices() == DEVICES


def test_states_are_right_after_a_restart_of_the_broker(household: Household) -> None:
    """A broker that is killed has lost the retained messages of the last half minute."""
    household.broker.stop(signal.SIGKILL)
    household.homeassistant.wait_for_states({"sensor.facegate_yard_who": UNAVAILABLE})
    household.broker.start()
    household.homeassistant.wait_for_states(
        {
            **quiet("porch"),
            **GATEWAY,
            "sensor.facegate_yard_who": "Barack Obama",
            "binary_sensor.facegate_barack_obama_present": "on",
        }
    )


def test_states_are_right_after_a_kill_of_the_gateway(household: Household) -> None:
    """No name stays: people who are gone when it comes back are gone."""
    homeassistant = household.homeassistant
    household.gateway.stop(signal.SIGKILL)
    homeassistant.wait_for_states({"sensor.facegate_yard_who": UNAVAILABLE})
    household.cameras["yard"].show("empty_1")
    household.cameras["porch"].show("obama_1")
    household.gateway.start()
    homeassistant.wait_for_states(
        {
            **quiet("yard"),
            **GATEWAY,
            "sensor.facegate_porch_who": "Barack Obama",
            "binary_sensor.facegate_barack_obama_present": "on",
            "sensor.facegate_barack_obama_camera": "porch",
        }
    )
    assert homeassistant.devices() == DEVICES


def test_silent_camera_keeps_its_device_over_a_restart_of_the_gateway(household: Household) -> None:
    household.stop_cameras()
    household.gateway.stop()
    household.gateway.start()
    household.homeassistant.wait_for_states({**quiet("porch"), "binary_sensor.facegate_porch_connected": "off"})
    household.add_cameras()
    household.homeassistant.wait_for_states(quiet("porch"))


@pytest.mark.usefixtures("_always_available")
def test_device_follows_a_renamed_person(household: Household) -> None:
    homeassistant = household.homeassistant
    household.ask("people/rename", person="barack_obama", name="Barry")
    wait_for(lambda: "Barry" in homeassistant.devices())
    household.cameras["porch"].show("obama_1")
    homeassistant.wait_for_states(
        {"sensor.facegate_porch_who": "Barry", "binary_sensor.facegate_barack_obama_present": "on"}
    )
    assert homeassistant.attributes("binary_sensor.facegate_barack_obama_present")["friendly_name"] == "Barry Present"
    household.cameras["porch"].show("empty_1")
    homeassistant.wait_for_states(quiet("porch"))


def test_device_goes_with_a_person_and_with_a_camera(household: Household) -> None:
    homeassistant = household.homeassistant
    household.ask("people/erase", person="barack_obama")
    household.cameras.pop("yard").stop()
    # A frame on its way would make the camera known again.
    homeassistant.wait_for_states({"binary_sensor.facegate_yard_connected": "off"})
    household.ask("cameras/forget", camera="yard")
    homeassistant.wait_for_states(
        {
            "binary_sensor.facegate_barack_obama_present": None,
            "sensor.facegate_barack_obama_camera": None,
            "sensor.facegate_yard_who": None,
            "event.facegate_yard_sighting": None,
            "sensor.facegate_known_people": "2",
            **quiet("porch"),
        }
    )
    assert homeassistant.devices().keys() == {"Facegate", "Porch", "Grace Hopper", "Joe Biden"}
    assert not [topic for topic in retained_topics(household) if "barack_obama" in topic or "yard" in topic]


def test_all_devices_go_when_the_integration_is_switched_off(household: Household) -> None:
    household.gateway.stop()
    household.gateway.start(HOMEASSISTANT__ENABLED="false")
    wait_for(lambda: household.homeassistant.devices() == {})
    assert not [topic for topic in retained_topics(household) if topic.startswith("homeassistant/device/")]


def retained_topics(household: Household) -> list[str]:
    """Return the topics with a retained message, up to a last one that marks the end."""
    client = Client(household.broker.port)
    client.publish("marker", b"end", retain=True)
    client.subscribe("#")
    topics: list[str] = []
    found = set()
    while "marker" not in found:
        message = client.get()
        found.add(message.topic)
        topics += [message.topic] if message.retain else []
    client.close()
    return topics
