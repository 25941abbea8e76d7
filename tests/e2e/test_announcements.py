"""Sightings on the topics of a real broker: from a frame to an event, through kills, erasures and switches."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway, running
from tests.conftest import settings
from tests.e2e.deployments import wait_until_ready
from tests.e2e.gateway_processes import ended_at_exit, retained_messages, start_gateway
from tests.support import KNOWN_FACES, MOSQUITTO, Broker, Client, Message, frame, wait_for

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed; amqtt has no message expiry")

OPTIONS: dict[str, Any] = {"workers": {"processes": 1}, "people": {"folder": KNOWN_FACES}}
OBAMA = "facegate/bridge/person/barack_obama"


class Household:
    """A camera with a person before it, and the retained messages of the broker."""

    def __init__(self, broker: Broker) -> None:
        self._port = broker.port
        self._camera = Client(broker.port)
        self.events = Client(broker.port).subscribe("facegate/+/event")

    def close(self) -> None:
        self._camera.close()
        self.events.close()

    def send_frames_until(self, condition: Callable[[], bool]) -> None:
        """Send a frame of an enrolled person again and again until the condition is true."""
        wait_for(lambda: self.retained(OBAMA) is not None)

        def sent() -> bool:
            # Two pictures of a camera are never the same, byte by byte.
            self._camera.publish("facegate/porch/frame", frame("obama_1") + os.urandom(8), qos=0)
            return condition()

        wait_for(sent)

    def publish(self, topic: str, payload: bytes) -> None:
        self._camera.publish(topic, payload)

    def retained(self, topic: str) -> Any:
        """Return the retained message on a topic: JSON, text, or None."""
        return read(retained_messages(self._port).get(topic))

    def sees_obama(self) -> bool:
        return bool(self.text() == "Barack Obama" and self.retained(OBAMA)["present"])

    def is_online(self) -> bool:
        return bool(self.retained("facegate/bridge/state") == {"state": "online"})

    def sees_nobody(self) -> bool:
        """Return whether no retained message says that somebody is here."""
        found = retained_messages(self._port)
        presences = [read(payload) for topic, payload in found.items() if topic.endswith("/present")]
        people = [read(payload) for topic, payload in found.items() if "/bridge/person/" in topic]
        assert not [topic for topic in found if topic.rsplit("/", 1)[1] in {"event", "result", "verdict", "snapshot"}]
        return all(each["text"] == "nobody" and not each["people"] for each in presences) and not any(
            each["present"] for each in people
        )

    def text(self) -> str | None:
        present = self.retained("facegate/porch/present")
        return None if present is None else str(present["text"])

    def next_event(self, event_type: str) -> Message:
        while (message := self.events.get()).json["event_type"] != event_type:
            pass
        return message


def read(payload: bytes | None) -> Any:
    if payload is None:
        return None
    return json.loads(payload) if payload.startswith(b"{") else payload.decode()


@pytest.fixture
def household(private_broker: Broker) -> Iterator[Household]:
    household = Household(private_broker)
    yield household
    household.close()


@pytest.fixture
def gateway(tmp_path: Path, private_broker: Broker) -> Iterator[Gateway]:
    with running(settings(tmp_path / "data", private_broker, live={"gone_s": 1}, **OPTIONS)) as gateway:
        wait_for(lambda: "barack_obama" in wait_until_ready(gateway).people.gallery.people())
        yield gateway


def test_visit_of_a_known_person_is_announced_from_the_first_frame_to_its_end(
    household: Household, gateway: Gateway
) -> None:
    household.send_frames_until(household.sees_obama)
    event = household.next_event("recognised")
    assert (event.topic, event.retain, event.qos) == ("facegate/porch/event", False, 1)
    assert event.json["person"] == "barack_obama"
    state = household.retained("facegate/porch/state")
    assert (state["connected"], state["enabled"], household.retained("facegate/porch/enabled/state")) == (
        True,
        True,
        "ON",
    )
    wait_for(household.sees_nobody)
    present, person = household.retained("facegate/porch/present"), household.retained(OBAMA)
    assert present["last"]["text"] == "Barack Obama"
    assert (person["present"], person["camera"]) == (False, "porch")


def test_camera_that_is_switched_off_sees_nobody_until_it_is_switched_on(
    household: Household, gateway: Gateway
) -> None:
    household.send_frames_until(household.sees_obama)
    household.publish("facegate/porch/enabled/set", b"OFF")
    wait_for(lambda: household.retained("facegate/porch/enabled/state") == "OFF" and household.sees_nobody())
    assert household.next_event("ended").json["reason"] == "disabled"
    household.publish("facegate/porch/enabled/set", b"on")
    household.send_frames_until(household.sees_obama)
    household.publish("facegate/bridge/enabled/set", b"0")
    wait_for(lambda: household.retained("facegate/bridge/enabled/state") == "OFF" and household.sees_nobody())
    assert household.retained("facegate/porch/enabled/state") == "ON"


def test_erased_person_leaves_nothing_at_the_broker(
    household: Household, gateway: Gateway, private_broker: Broker
) -> None:
    household.send_frames_until(household.sees_obama)
    command = {"transaction": "erase", "person": "barack_obama"}
    household.publish("facegate/bridge/request/people/erase", json.dumps(command).encode())
    wait_for(lambda: not traces(private_broker))


def traces(broker: Broker) -> list[str]:
    """Return the topics of the retained messages with the name of the person."""
    found = retained_messages(broker.port)
    return [topic for topic, payload in found.items() if "obama" in topic or b"obama" in payload.lower()]


def test_gateway_that_stops_leaves_nobody_and_with_another_base_nothing(
    household: Household, tmp_path: Path, private_broker: Broker
) -> None:
    with running(settings(tmp_path / "data", private_broker, **OPTIONS)):
        household.send_frames_until(household.sees_obama)
    assert household.sees_nobody()
    assert household.retained("facegate/porch/state")["connected"] is False
    with running(settings(tmp_path / "data", private_broker, mqtt={"base": "home/attic"}, **OPTIONS)):
        wait_for(lambda: "home/attic/bridge/person/barack_obama" in retained_messages(private_broker.port))
        wait_for(lambda: not [each for each in retained_messages(private_broker.port) if each.startswith("facegate/")])


def test_no_name_stands_anywhere_after_the_gateway_was_killed(
    household: Household, tmp_path: Path, private_broker: Broker
) -> None:
    """Regression of other projects: after a crash somebody was at home for ever."""

    def start(gone_s: float) -> subprocess.Popen[bytes]:
        people, sightings = {"folder": str(KNOWN_FACES)}, {"again_s": gone_s}
        return start_gateway(tmp_path, private_broker, people=people, sightings=sightings, live={"gone_s": gone_s})

    # The person must be there until the kill, also on a busy machine.
    process = start(gone_s=60)
    with ended_at_exit(process):
        household.send_frames_until(household.sees_obama)
        household.next_event("recognised")
        process.send_signal(signal.SIGKILL)
        process.wait()
    # Nothing has changed at the broker, except the last will.
    assert household.sees_obama()
    process = start(gone_s=1)
    with ended_at_exit(process):
        wait_for(household.sees_nobody)
        assert household.next_event("ended").json["reason"] == "restart"
        assert household.events.nothing_comes(0.5)


@pytest.mark.extra
def test_no_name_stands_anywhere_after_kills_at_any_moment(
    household: Household, tmp_path: Path, private_broker: Broker
) -> None:
    """Ten kills, each a random time after the first frame of the run."""
    for _ in range(10):
        process = start_gateway(tmp_path, private_broker, people={"folder": str(KNOWN_FACES)})
        with ended_at_exit(process):
            household.send_frames_until(household.is_online)
            end = time.monotonic() + random.uniform(0, 2)
            household.send_frames_until(lambda end=end: time.monotonic() > end)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait()
        wait_for(lambda: not household.is_online())
    with ended_at_exit(start_gateway(tmp_path, private_broker, people={"folder": str(KNOWN_FACES)})):
        wait_for(lambda: household.is_online() and household.sees_nobody())
