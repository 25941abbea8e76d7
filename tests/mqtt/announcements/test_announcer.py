"""Sightings as they are announced on MQTT topics."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.config import Settings
from gateway.model import Likeness, Person
from gateway.model.sightings import (
    CameraState,
    PersonPresence,
    Presence,
    PresentPerson,
    Sighting,
    SightingEvent,
)
from gateway.mqtt.announcements.announcer import MqttAnnouncer
from gateway.mqtt.announcements.wiring import Announcements
from gateway.mqtt.retained import LIVE, RetainedTopics
from tests.mqtt.announcements.sessions import ConfirmingSession

ADA, BOB = Person("ada", "Ada"), Person("bob", "Bob")
SIGHTING = Sighting(id="s1", visit="v1", camera="porch", since=1.0, last_seen=2.0, outcome="named", person=ADA)
RECOGNISED = SightingEvent(id="e1", event_type="recognised", timestamp=2.0, sighting=SIGHTING)
WITH_ADA = Presence(camera="porch", people=(PresentPerson(ADA, 1.0),))
JPEG = b"\xff\xd8\xff picture"


class Run:
    """A run of the gateway with the announcements of live cameras."""

    def __init__(self, data: Path, **live: object) -> None:
        self.announcements = Announcements(Settings(data=data, live=live))
        self.session = ConfirmingSession()

    @property
    def announcer(self) -> MqttAnnouncer:
        return self.announcements.announcer

    def connect(self) -> None:
        self.session = ConfirmingSession()
        self.announcements.sender.start_session(self.session)

    def topics(self) -> list[str]:
        """Return the topics of the messages since the last call."""
        return [topic for topic, _ in self.session.take()]

    def messages(self) -> dict[str, Any]:
        """Return the newest message on each topic since the last call: JSON, text, or None for a cleared topic."""
        return {topic: read(payload) for topic, payload in self.session.take()}


def read(payload: bytes) -> Any:
    return json.loads(payload) if payload.startswith(b"{") else payload.decode(errors="replace") or None


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path)
    run.connect()
    return run


def known_topics(data: Path) -> list[str]:
    return RetainedTopics(data / "retained.json").left_behind(LIVE, ())


def announce_everything(run: Run) -> None:
    run.announcer.announce_switch(True)
    run.announcer.announce_presence(WITH_ADA)
    run.announcer.announce_camera(CameraState(camera="porch", connected=True, last_frame=2.0))
    run.announcer.announce_person(PersonPresence(person=ADA, present=True, camera="porch", since=1.0, last_seen=2.0))
    run.announcer.announce_snapshot("porch", JPEG)
    run.announcer.announce_event(RECOGNISED)


def test_every_announcement_has_its_topic(run: Run) -> None:
    announce_everything(run)
    retained = [(each.topic, each.retain) for each in run.session.published]
    assert retained == [
        ("facegate/bridge/enabled/state", True),
        ("facegate/porch/present", True),
        ("facegate/porch/state", True),
        ("facegate/porch/enabled/state", True),
        ("facegate/bridge/person/ada", True),
        ("facegate/porch/snapshot", False),
        ("facegate/porch/event", False),
    ]
    messages = run.messages()
    assert messages["facegate/porch/present"]["text"] == "Ada"
    assert messages["facegate/porch/state"]["last_frame"] == 2.0
    assert messages["facegate/porch/enabled/state"] == messages["facegate/bridge/enabled/state"] == "ON"
    assert messages["facegate/bridge/person/ada"]["camera"] == "porch"
    assert messages["facegate/porch/event"]["event_type"] == "recognised"


@pytest.mark.parametrize("mode", ["sent", "retained"])
def test_picture_comes_before_its_event_also_after_the_broker_was_away(tmp_path: Path, mode: str) -> None:
    """Regression of another project: the last visitor's face came with the new visitor's name."""
    run = Run(tmp_path, snapshot=mode)
    run.announcer.announce_snapshot("porch", JPEG)
    run.announcer.announce_event(RECOGNISED)
    run.connect()
    assert run.topics() == ["facegate/porch/snapshot", "facegate/porch/event"]


def test_no_picture_is_published_if_the_setting_is_off(tmp_path: Path) -> None:
    run = Run(tmp_path, snapshot="off")
    run.connect()
    run.announcer.announce_snapshot("porch", JPEG)
    assert run.topics() == []


def test_time_of_the_last_frame_can_wait_but_a_change_cannot(run: Run) -> None:
    run.announcer.announce_camera(CameraState(camera="porch", connected=True, last_frame=1.0))
    run.topics()
    run.announcer.announce_camera(CameraState(camera="porch", connected=True, last_frame=11.0))
    assert run.topics() == []
    run.announcements.sender.tick()
    assert run.messages()["facegate/porch/state"]["last_frame"] == 11.0
    run.announcer.announce_camera(CameraState(camera="porch", connected=False, last_frame=11.0))
    assert run.messages()["facegate/porch/state"]["connected"] is False


def test_camera_that_is_switched_off_has_the_state_off(run: Run) -> None:
    run.announcer.announce_camera(CameraState(camera="porch", enabled=False))
    run.announcer.announce_switch(False)
    # A camera without pictures is not urgent: any client can switch off cameras that do not exist.
    run.announcements.sender.tick()
    messages = run.messages()
    assert messages["facegate/porch/enabled/state"] == messages["facegate/bridge/enabled/state"] == "OFF"


def test_names_of_an_earlier_run_are_withdrawn_before_anything_else(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.connect()
    announce_everything(run)
    run.announcer.announce_person(PersonPresence(person=BOB))
    after = Run(tmp_path)
    after.announcer.announce_person(PersonPresence(person=ADA))
    after.connect()
    messages = after.messages()
    assert next(iter(messages)) == "facegate/porch/present"
    assert messages["facegate/porch/present"]["text"] == "nobody"
    assert messages["facegate/porch/present"]["last"] is None
    assert messages["facegate/porch/state"] == {
        "schema": 1,
        "camera": "porch",
        "enabled": True,
        "connected": False,
        "last_frame": None,
    }
    assert messages["facegate/bridge/person/ada"]["present"] is False
    assert messages["facegate/bridge/person/bob"] is None


def test_everything_of_an_earlier_base_is_cleared(tmp_path: Path) -> None:
    run = Run(tmp_path, snapshot="retained")
    run.connect()
    announce_everything(run)
    topics = set(known_topics(tmp_path))
    assert len(topics) == 6
    settings = Settings(data=tmp_path, mqtt={"base": "home/attic"}, live={"snapshot": "retained"})
    session = ConfirmingSession()
    Announcements(settings).sender.start_session(session)
    assert dict(session.take()) == dict.fromkeys(topics, b"")


def test_everything_is_cleared_if_live_cameras_are_not_followed_any_more(tmp_path: Path) -> None:
    run = Run(tmp_path, snapshot="retained")
    run.connect()
    announce_everything(run)
    after = Run(tmp_path, enabled=False)
    after.connect()
    assert after.messages() == dict.fromkeys(known_topics(tmp_path))


def test_removed_person_leaves_nothing_at_the_broker(tmp_path: Path) -> None:
    run = Run(tmp_path)
    announce_everything(run)
    run.announcer.announce_event(replace(RECOGNISED, event_type="changed", previous=ADA, sighting=SIGHTING))
    ambiguous = replace(SIGHTING, person=None, outcome="ambiguous", candidates=(Likeness(ADA, 0.5, 0.5),))
    run.announcer.announce_event(replace(RECOGNISED, event_type="ended", sighting=ambiguous))
    run.announcer.announce_presence(WITH_ADA.without_person("ada"))
    run.announcer.remove_person("ada")
    run.connect()
    assert not [payload for _, payload in run.session.take() if b"ada" in payload.lower()]
    assert "person" not in (tmp_path / "retained.json").read_text()


def test_forgotten_camera_leaves_nothing_at_the_broker(tmp_path: Path) -> None:
    run = Run(tmp_path, snapshot="retained")
    run.connect()
    announce_everything(run)
    run.topics()
    run.announcer.remove_camera("porch")
    kinds = ("present", "state", "enabled/state", "snapshot")
    assert run.messages() == {f"facegate/porch/{kind}": None for kind in kinds}


@pytest.mark.parametrize(
    ("shown", "removed", "cleared"),
    [
        pytest.param(ADA, "ada", True, id="the person"),
        pytest.param(BOB, "ada", False, id="another person"),
        pytest.param(None, "ada", True, id="a stranger, who may be the person"),
    ],
)
def test_retained_picture_is_cleared_with_the_person_whom_it_may_show(
    tmp_path: Path, shown: Person | None, removed: str, cleared: bool
) -> None:
    run = Run(tmp_path, snapshot="retained")
    run.connect()
    run.announcer.announce_snapshot("porch", JPEG)
    run.announcer.announce_event(replace(RECOGNISED, sighting=replace(SIGHTING, person=shown)))
    run.announcer.announce_event(replace(RECOGNISED, sighting=replace(SIGHTING, id="s2", person=BOB)))
    run.topics()
    run.announcer.remove_person(removed)
    assert run.topics() == ["facegate/porch/snapshot"] * cleared


def test_retained_picture_of_an_earlier_run_is_cleared(tmp_path: Path) -> None:
    """The person whom it shows may have been erased while no gateway ran."""
    run = Run(tmp_path, snapshot="retained")
    run.connect()
    announce_everything(run)
    after = Run(tmp_path, snapshot="retained")
    after.connect()
    assert after.messages()["facegate/porch/snapshot"] is None


@pytest.mark.parametrize("all_cameras", [False, True])
def test_retained_picture_is_cleared_when_its_camera_is_switched_off(tmp_path: Path, all_cameras: bool) -> None:
    run = Run(tmp_path, snapshot="retained")
    run.connect()
    announce_everything(run)
    run.topics()
    if all_cameras:
        run.announcer.announce_switch(False)
    else:
        run.announcer.announce_camera(CameraState(camera="porch", enabled=False))
    assert run.messages()["facegate/porch/snapshot"] is None


def test_gateway_that_stops_leaves_nobody_behind(run: Run) -> None:
    announce_everything(run)
    run.messages()
    run.announcer.announce_absence()
    messages = run.messages()
    assert (messages["facegate/porch/present"]["text"], messages["facegate/porch/state"]["connected"]) == (
        "nobody",
        False,
    )
    assert messages["facegate/bridge/person/ada"]["present"] is False


def test_number_of_cameras_that_are_taken_over_is_bounded(tmp_path: Path) -> None:
    """Any topic can name a camera. Without the bound their number would grow with each run."""
    RetainedTopics(tmp_path / "retained.json").add(LIVE, *(f"facegate/c{n}/present" for n in range(9)))
    run = Run(tmp_path, most_cameras=4)
    run.connect()
    messages = run.messages()
    presences = [topic for topic, content in messages.items() if topic.endswith("present") and content is not None]
    assert len(presences) == 4
    assert list(messages.values()).count(None) == 5


def test_cameras_of_a_flood_come_after_real_ones_and_their_names(tmp_path: Path) -> None:
    """Regression: cameras came in alphabetical order, and real ones beyond the bound were withdrawn."""
    flood = [f"facegate/a{n}/{topic}" for n in range(6000) for topic in ("present", "state", "enabled/state")]
    real = [f"facegate/{camera}/{topic}" for camera in ("porch", "yard") for topic in ("present", "state")]
    names = [f"facegate/bridge/person/{slug}" for slug in ("ada", "bob")]
    RetainedTopics(tmp_path / "retained.json").add(LIVE, *flood, *real, *names)
    settings = Settings(data=tmp_path, cameras={"porch": {}})
    announcements = Announcements(settings, {"yard"})
    announcements.announcer.announce_person(PersonPresence(person=ADA))
    # Somebody has switched off the cameras of the flood.
    for n in range(2000):
        announcements.announcer.announce_camera(CameraState(camera=f"a{n}", enabled=False))
    session = ConfirmingSession()
    announcements.sender.start_session(session)
    sent: dict[str, bytes] = {}
    while messages := session.take():
        sent |= messages
        session.confirm()
        announcements.sender.tick()
    order = list(sent)
    assert order[:2] == ["facegate/porch/present", "facegate/yard/present"]
    assert read(sent["facegate/yard/state"])["connected"] is False
    assert [read(sent[each]) and read(sent[each])["present"] for each in names] == [False, None]
    states = [place for place, topic in enumerate(order) if topic.startswith("facegate/a") and sent[topic]]
    states = [place for place in states if not order[place].endswith("/present")]
    assert max(map(order.index, names)) < min(states)
    # The bound holds, and nothing is left behind.
    assert len([topic for topic in sent if topic.endswith("/present") and sent[topic]]) == 2000
    assert len(sent) == len({*flood, *real, *names, "facegate/porch/enabled/state", "facegate/yard/enabled/state"})
