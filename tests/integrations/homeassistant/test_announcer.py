"""The announcer of devices: which descriptions are published, and when."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence

from gateway.config.homeassistant_section import HomeAssistantSettings
from gateway.integrations.homeassistant.announcer import HomeAssistant
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
        self.states_repeated = threading.Event()

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
    broker: Broker,
    *,
    most_cameras: int = 10,
    most_people: int = 10,
    configured: Sequence[str] = (),
    prefix: str = "homeassistant",
    birth_delay_s: Callable[[], float] = lambda: 0,
) -> HomeAssistant:
    settings = HomeAssistantSettings(prefix=prefix, most_cameras=most_cameras, most_people=most_people)
    devices = DeviceTable(Names("facegate", prefix), settings, snapshot=True, configured=configured)
    return HomeAssistant(broker.publish, devices, broker.states_repeated.set, birth_delay_s)


def see_camera(homeassistant: HomeAssistant, camera: str) -> None:
    homeassistant.announce_camera(CameraState(camera=camera, connected=True))


def see_person(homeassistant: HomeAssistant, person: Person) -> None:
    homeassistant.announce_person(PersonPresence(person=person))


def test_gateway_is_the_first_device() -> None:
    """Home Assistant looks up the device of the gateway when it makes the others."""
    broker = Broker()
    create(broker, configured=["porch"]).start([ADA], [])
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
    homeassistant = create(broker, most_cameras=3, configured=["porch"])
    homeassistant.start([], [])
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


def test_cameras_of_an_earlier_run_stay_and_people_who_are_gone_do_not() -> None:
    broker = Broker()
    first = create(broker)
    first.start([ADA, GRACE], [])
    see_camera(first, "porch")
    earlier = list(broker.retained)
    broker.sent.clear()
    create(broker).start([ADA], earlier)
    assert broker.devices == ["camera_porch", "gateway", "person_ada"]
    withdrawn = [topic for topic in broker.sent if topic not in broker.retained]
    assert withdrawn == ["homeassistant/device/facegate/person_grace/config"]


def test_devices_move_to_a_new_prefix() -> None:
    broker = Broker()
    first = create(broker)
    first.start([ADA], [])
    see_camera(first, "porch")
    create(broker, prefix="ha").start([ADA], list(broker.retained))
    assert sorted(broker.retained) == [
        "ha/device/facegate/camera_porch/config",
        "ha/device/facegate/gateway/config",
        "ha/device/facegate/person_ada/config",
    ]


def test_birth_of_home_assistant_repeats_descriptions_and_states() -> None:
    broker = Broker()
    homeassistant = create(broker)
    homeassistant.start([ADA], [])
    before = list(broker.sent)
    homeassistant.receive_status(b"online")
    assert broker.states_repeated.wait(30)
    assert broker.sent == before * 2


def test_other_status_messages_repeat_nothing() -> None:
    broker = Broker()
    delays: list[float] = []
    homeassistant = create(broker, birth_delay_s=lambda: delays.append(0) or 0)  # type: ignore[func-returns-value]
    for payload in (b"offline", b"", b"\xff", b"ONLINE"):
        homeassistant.receive_status(payload)
    assert delays == []


def test_many_births_repeat_everything_once() -> None:
    """Any client of the broker can publish such messages."""
    broker = Broker()
    homeassistant = create(broker)
    homeassistant.start([], [])
    for _ in range(1000):
        homeassistant.receive_status(b"online")
    assert broker.states_repeated.wait(30)
    for _ in range(1000):
        homeassistant.receive_status(b"online")
    assert len(broker.sent) == 2
    homeassistant.stop()


def test_stop_ends_the_repetition() -> None:
    broker = Broker()
    homeassistant = create(broker, birth_delay_s=lambda: 3600)
    before = set(threading.enumerate())
    homeassistant.receive_status(b"online")
    (timer,) = set(threading.enumerate()) - before
    homeassistant.stop()
    timer.join(30)
    assert not timer.is_alive()
    assert broker.sent == []
