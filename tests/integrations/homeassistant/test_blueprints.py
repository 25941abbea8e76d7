"""The blueprints: their form, and their work in a real Home Assistant with a phone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.contract.base import dump
from gateway.contract.operations import ADMINISTRATION
from gateway.integrations.homeassistant.devices import describe_camera, describe_gateway, describe_person
from gateway.integrations.homeassistant.names import GATEWAY, Names, camera_device, person_device
from gateway.model import Person
from tests.integrations.homeassistant.phone import Phone, phone_of
from tests.integrations.homeassistant.real import RealHomeAssistant, homeassistant_running
from tests.support import ROOT, Broker, Client, broker_running

FOLDER = ROOT / "config" / "homeassistant"
BLUEPRINTS = sorted(FOLDER.glob("*.yaml"))
CAMERAS = ("porch", "yard")
SIGHTINGS = [f"event.facegate_{camera}_sighting" for camera in CAMERAS]
ADA, GRACE = Person("ada", "Ada Lovelace"), Person("grace", "Grace Hopper")

STRANGER = {
    "schema": 1,
    "event_type": "stranger",
    "sighting": "1",
    "visit": "1",
    "camera": "porch",
    "name": None,
    "person": None,
    "unknown": 3,
    "seen": 5,
}
RECOGNISED = {**STRANGER, "event_type": "recognised", "name": ADA.name, "person": ADA.slug, "unknown": None}


class Input(str):
    """The value of a blueprint's input."""


class BlueprintLoader(yaml.SafeLoader):
    """A loader of YAML that knows the tag ``!input``."""


BlueprintLoader.add_constructor("!input", lambda loader, node: Input(node.value))


def load(path: Path) -> Any:
    return yaml.load(path.read_text(), BlueprintLoader)  # noqa: S506  # derived from the safe loader


def inputs_used(content: object) -> Iterator[str]:
    if isinstance(content, Input):
        yield str(content)
    elif isinstance(content, dict):
        for each in content.values():
            yield from inputs_used(each)
    elif isinstance(content, list):
        for each in content:
            yield from inputs_used(each)


@pytest.mark.parametrize("path", BLUEPRINTS, ids=lambda path: path.stem)
def test_blueprint_uses_the_inputs_that_it_declares(path: Path) -> None:
    content = load(path)
    assert set(inputs_used(content)) == set(content["blueprint"]["input"])
    assert content["blueprint"]["domain"] == "automation"


@pytest.mark.parametrize("operation", ["unknowns/name"])
def test_operations_of_the_blueprint_exist(operation: str) -> None:
    assert operation in ADMINISTRATION
    text = (FOLDER / "name_a_stranger.yaml").read_text()
    assert f"facegate#{operation.split('/')[1]}#" in text


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker_running(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def gateway(broker: Broker) -> Iterator[Client]:
    """A client that publishes what a gateway publishes, and reads what it reads."""
    client, names = Client(broker.port), Names("facegate")
    devices = {
        GATEWAY: describe_gateway(names),
        **{camera_device(each): describe_camera(names, each, snapshot=True) for each in CAMERAS},
        **{person_device(each.slug): describe_person(names, each) for each in (ADA, GRACE)},
    }
    for device, description in devices.items():
        client.publish(names.topic(device), dump(description), retain=True)
    client.publish("facegate/bridge/state", b'{"state":"online"}', retain=True)
    yield client.subscribe("facegate/bridge/request/#", "facegate/bridge/user/+/request/#")
    client.close()


@pytest.fixture(scope="module")
def homeassistant(
    tmp_path_factory: pytest.TempPathFactory, broker: Broker, gateway: Client
) -> Iterator[RealHomeAssistant]:
    folder = tmp_path_factory.mktemp("homeassistant")
    (folder / "automations.yaml").write_text("[]")
    shutil.copytree(FOLDER, folder / "blueprints" / "automation" / "facegate")
    with homeassistant_running(folder, broker.port, "mobile_app:\nautomation: !include automations.yaml\n") as running:
        running.wait_for_states(dict.fromkeys(SIGHTINGS, "unknown"))
        yield running


@pytest.fixture(scope="module")
def phone(homeassistant: RealHomeAssistant) -> Iterator[Phone]:
    with phone_of(homeassistant) as phone:
        yield phone


def use(homeassistant: RealHomeAssistant, blueprint: str, **inputs: object) -> None:
    """Make an automation of a blueprint the only one. The schema of Home Assistant checks it."""
    automation = {
        "id": blueprint,
        "alias": blueprint,
        "use_blueprint": {"path": f"facegate/{blueprint}.yaml", "input": {"sightings": SIGHTINGS, **inputs}},
    }
    (homeassistant.folder / "automations.yaml").write_text(json.dumps([automation]))
    homeassistant.call("automation.reload")
    homeassistant.wait_for_states({f"automation.{blueprint}": "on"})


def publish(gateway: Client, camera: str, event: dict[str, object], **changes: object) -> None:
    gateway.publish(f"facegate/{camera}/event", dump({**event, "camera": camera, **changes}))


def answer(gateway: Client, operation: str, transaction: str, *, sender: str = "", **reply: object) -> None:
    document = {"schema": 1, "transaction": transaction, "data": {}, "status": "ok", **reply}
    gateway.publish(f"facegate/bridge{sender}/response/{operation}", dump(document))


@pytest.mark.extra
def test_stranger_is_named_from_the_phone(gateway: Client, homeassistant: RealHomeAssistant, phone: Phone) -> None:
    use(homeassistant, "name_a_stranger", phones=[phone.device])
    publish(gateway, "porch", RECOGNISED)
    publish(gateway, "porch", STRANGER)
    question = phone.get()
    assert (question["title"], question["message"]) == ("Who is this?", "Stranger 3 on camera porch, seen 5 times")
    assert question["data"]["image"] == "/api/image_proxy/image.facegate_porch_last_sighting"
    write_name, ignore = (each["action"] for each in question["data"]["actions"])
    # An empty name is no answer.
    phone.press(write_name, reply_text=" ")
    phone.press(write_name, reply_text=' Zoë "Z" O\'Neil ')
    request = gateway.get()
    assert request.topic == "facegate/bridge/request/unknowns/name"
    assert {**request.json, "transaction": ""} == {"transaction": "", "unknown": 3, "name": 'Zoë "Z" O\'Neil'}
    transaction = request.json["transaction"]
    # Home Assistant subscribes to the replies a moment after it has made the automation.
    while not phone.has_notification(1):
        answer(gateway, "unknowns/name", transaction, data={"person": "zoe", "name": "Zoë"})
    assert phone.get()["message"] == "Zoë is known now"
    # The request of another program
    answer(gateway, "unknowns/name", "42", status="error", error="no", code="conflict")
    answer(gateway, "unknowns/name", transaction, status="error", error="no such group", code="conflict")
    assert phone.get(but_not="Zoë is known now")["message"] == "That was not possible: no such group"
    phone.press(ignore)
    request = gateway.get()
    assert request.topic == "facegate/bridge/request/unknowns/ignore"
    assert request.json["unknown"] == 3
    assert not phone.has_notification()


@pytest.mark.extra
def test_stranger_is_named_under_the_login_of_home_assistant(
    gateway: Client, homeassistant: RealHomeAssistant, phone: Phone
) -> None:
    use(homeassistant, "name_a_stranger", phones=[phone.device], login="home")
    publish(gateway, "porch", STRANGER)
    write_name, _ = (each["action"] for each in phone.get()["data"]["actions"])
    phone.press(write_name, reply_text="Ada")
    request = gateway.get()
    assert request.topic == "facegate/bridge/user/home/request/unknowns/name"
    while not phone.has_notification(1):
        reply = {"person": "ada", "name": "Ada"}
        answer(gateway, "unknowns/name", request.json["transaction"], sender="/user/home", data=reply)
    assert phone.get()["message"] == "Ada is known now"


@pytest.mark.extra
def test_alert_comes_once_for_each_stranger(gateway: Client, homeassistant: RealHomeAssistant, phone: Phone) -> None:
    use(homeassistant, "alert_on_strangers", phones=[phone.device])
    # Two people in one frame: both events in the same millisecond.
    publish(gateway, "yard", STRANGER, seen=1)
    publish(gateway, "yard", STRANGER, unknown=4)
    publish(gateway, "yard", {**STRANGER, "event_type": "ended"})
    # Home Assistant runs both automations at the same time: either may be first.
    assert {phone.get()["message"] for _ in range(2)} == {"On camera yard", "On camera yard, seen 5 times"}
    assert not phone.has_notification()


@pytest.mark.extra
def test_person_comes_home_once_a_visit(gateway: Client, homeassistant: RealHomeAssistant, phone: Phone) -> None:
    ada = homeassistant.render("{{ device_id('binary_sensor.facegate_ada_present') }}")
    use(homeassistant, "came_home", phones=[phone.device], people=[ada])
    publish(gateway, "porch", RECOGNISED, person=GRACE.slug, name=GRACE.name)
    publish(gateway, "porch", RECOGNISED)
    assert phone.get()["message"] == "Ada Lovelace is on camera porch"
    # The second camera, and a second sighting on the first one
    publish(gateway, "yard", RECOGNISED, sighting="2")
    publish(gateway, "porch", RECOGNISED, sighting="3")
    publish(gateway, "yard", RECOGNISED, sighting="4", visit="4")
    assert phone.get()["message"] == "Ada Lovelace is on camera yard"
    assert not phone.has_notification()


@pytest.mark.extra
def test_no_automation_runs_again_after_a_restart(
    gateway: Client, homeassistant: RealHomeAssistant, phone: Phone
) -> None:
    """Home Assistant then shows the last event of each camera again, which is an old one."""
    use(homeassistant, "alert_on_strangers", phones=[phone.device])
    publish(gateway, "porch", STRANGER)
    phone.get()
    last = homeassistant.states()[SIGHTINGS[0]]
    homeassistant.stop()
    homeassistant.start()
    homeassistant.wait_for_states({SIGHTINGS[0]: last, "automation.alert_on_strangers": "on"})
    publish(gateway, "yard", STRANGER, seen=1)
    assert phone.get()["message"] == "On camera yard"
    assert not phone.has_notification()
