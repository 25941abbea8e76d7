"""The announcer of devices: which descriptions are published, and when."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.config.homeassistant_section import HomeAssistantSettings
from gateway.integrations.homeassistant.announcer import DeviceAnnouncer
from gateway.integrations.homeassistant.device_table import DeviceTable
from gateway.integrations.homeassistant.names import Names
from gateway.model import Person
from gateway.model.sightings import CameraState, PersonPresence, Presence

ADA, GRACE, JOE = Person("ada", "Ada Lovelace"), Person("grace", "Grace Hopper"), Person("joe", "Joe Biden")


class Broker:
    """The retained messages of a broker. ``sent``: the topics of all messages, in their order."""

    def __init__(self) -> None:
        self.retained: dict[str, bytes] = {}
        self.sent: list[str] = []

    def publish(self, topic: str, payload: bytes) -> None:
        self.sent.append(topic)
        if payload:
            self.retained[topic] = payload
        else:
            self.retained.pop(topic, None)

    @property
    def devices(self) -> list[str]:
        return sorted(topic.split("/")[-2] for topic in self.retained)

    def name(self, device: str) -> str:
        return str(json.loads(self.retained[Names("facegate").topic(device)])["device"]["name"])


def create(
    broker: Broker, *, most_cameras: int = 10, most_people: int = 10, first_cameras: Sequence[str] = ()
) -> DeviceAnnouncer:
    settings = HomeAssistantSettings(most_cameras=most_cameras, most_people=most_people)
    devices = DeviceTable(Names("facegate"), settings, snapshot=True, first_cameras=first_cameras)
    return DeviceAnnouncer(broker.publish, devices)


def see_camera(homeassistant: DeviceAnnouncer, camera: str) -> None:
    homeassistant.announce_camera(CameraState(camera=camera, connected=True))


def see_person(homeassistant: DeviceAnnouncer, person: Person) -> None:
    homeassistant.announce_person(PersonPresence(person=person))


def test_gateway_is_the_first_device() -> None:
    """Home Assistant looks up the device of the gateway when it makes the others."""
    broker = Broker()
    create(broker, first_cameras=["porch"]).start([ADA])
    assert broker.sent[0] == "homeassistant/device/facegate/gateway/config"
    assert broker.devices == ["camera_porch", "gateway", "person_ada"]


def test_camera_is_described_once() -> None:
    broker = Broker()
    homeassistant = create(broker)
    homeassistant.announce_presence(Presence(camera="porch"))
    see_camera(homeassistant, "porch")
    assert broker.sent == ["homeassistant/device/facegate/camera_porch/config"]


def test_renamed_person_is_described_again() -> None:
    broker = Broker()
    homeassistant = create(broker)
    see_person(homeassistant, ADA)
    see_person(homeassistant, ADA)
    see_person(homeassistant, Person("ada", "Ada King"))
    assert len(broker.sent) == 2
    assert broker.name("person_ada") == "Ada King"


def test_removed_person_leaves_nothing() -> None:
    broker = Broker()
    homeassistant = create(broker)
    see_person(homeassistant, ADA)
    homeassistant.remove_person("ada")
    homeassistant.remove_person("ada")
    assert broker.retained == {}
    assert len(broker.sent) == 2


def test_removed_camera_leaves_nothing_and_may_come_back() -> None:
    broker = Broker()
    homeassistant = create(broker)
    see_camera(homeassistant, "porch")
    homeassistant.remove_camera("porch")
    assert broker.retained == {}
    see_camera(homeassistant, "porch")
    assert broker.devices == ["camera_porch"]


def test_number_of_cameras_is_bounded() -> None:
    """Any topic can name a camera. The cameras of the settings get their devices first."""
    broker = Broker()
    homeassistant = create(broker, most_cameras=3, first_cameras=["porch"])
    homeassistant.start([])
    for number in range(100):
        see_camera(homeassistant, f"c{number}")
    assert broker.devices == ["camera_c0", "camera_c1", "camera_porch", "gateway"]
    (warning,) = homeassistant.warnings
    assert "homeassistant.most_cameras" in warning
    homeassistant.remove_camera("c0")
    assert homeassistant.warnings == ()
    see_camera(homeassistant, "c5")
    assert broker.devices == ["camera_c1", "camera_c5", "camera_porch", "gateway"]


def test_number_of_people_is_bounded_and_the_next_one_takes_a_free_place() -> None:
    broker = Broker()
    homeassistant = create(broker, most_people=2)
    for person in (ADA, GRACE, JOE):
        see_person(homeassistant, person)
    assert broker.devices == ["person_ada", "person_grace"]
    (warning,) = homeassistant.warnings
    assert "1 more are enrolled" in warning
    homeassistant.remove_person("ada")
    assert broker.devices == ["person_grace", "person_joe"]
    assert homeassistant.warnings == ()


def test_person_without_a_place_is_forgotten_when_removed() -> None:
    broker = Broker()
    homeassistant = create(broker, most_people=1)
    for person in (ADA, GRACE):
        see_person(homeassistant, person)
    homeassistant.remove_person("grace")
    homeassistant.remove_person("ada")
    assert broker.devices == []
