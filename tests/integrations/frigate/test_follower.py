"""Events of Frigate, from the message to the written name: with real photographs, workers and sightings.

Frigate and go2rtc are stand-ins. Each test has a camera of its own, since sightings go on between tests.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from benchmarks.frigate_stand_in import Answer, BoxTuple, Event, FrigateStandIn, Go2rtcStandIn, User, Version
from gateway.app import Gateway
from gateway.contract.frigate import MAX_MESSAGE_BYTES
from gateway.integrations.frigate.follower import Follower
from gateway.integrations.frigate.name_writer import NameChange, NameWriter
from gateway.integrations.frigate.server import FrigateServer
from gateway.integrations.frigate.source_rules import SourceRules
from gateway.live.frame_sources import OWN_FRAMES, FrameSources
from gateway.metrics import Metrics
from gateway.model import Person, Recognition, Reply, Request
from gateway.model.sightings import Sighting
from tests.integrations.frigate.conftest import StartFrigate, client_of, settings_for
from tests.integrations.frigate.test_server import PHRASE
from tests.support import WAIT_S, frame, wait_for

OBAMA, BIDEN, STRANGER, EMPTY = frame("obama_1"), frame("biden_1"), frame("stranger_1"), frame("empty_1")
OBAMAS_BODY: BoxTuple = (300, 60, 640, 480)
"""The box of the person in obama_1.jpg, as Frigate gives it: 853 x 480 pixels, the face at (376, 96, 533, 253)."""


@dataclass
class FollowerHarness:
    """A follower, the Frigate that it follows, and the go2rtc beside it."""

    frigate: FrigateStandIn
    go2rtc: Go2rtcStandIn
    follower: Follower
    metrics: Metrics
    sources: FrameSources
    replies: list[Future[Reply]]
    alive: list[str]
    camera: str = field(default_factory=lambda: f"porch_{secrets.token_hex(4)}")

    def event(self, picture: bytes = OBAMA, number: int = 1, **changes: Any) -> Event:
        """Return an event that began now."""
        now = time.time()
        event = Event(
            id=f"{now:.5f}-abc{number}",
            camera=self.camera,
            start=now,
            frame=picture,
            frame_time=now,
            box=OBAMAS_BODY,
            annotated=picture,
        )
        return self.frigate.add(replace(event, **changes))

    def send(self, kind: Literal["new", "update", "end"], event: Event) -> None:
        self.receive("frigate/events", event.message(kind))

    def receive(self, topic: str, payload: bytes) -> None:
        """Deliver a message of the broker."""
        (receive,) = [each.receive for each in self.follower.subscriptions if each.topic_filter == topic]
        receive(topic, payload)

    def end(self, event: Event) -> None:
        event.end = time.time()
        self.send("end", event)

    def count(self, name: str) -> int:
        return self.metrics.snapshot()[name]

    def sighting(self) -> Sighting:
        """Return the sighting in the last reply of the gateway."""
        reply = self.replies[-1].result()
        assert isinstance(reply, Recognition)
        assert reply.faces[0].sighting is not None
        return reply.faces[0].sighting

    def pictures(self) -> int:
        """Return the number of pictures that were asked for."""
        return sum("snapshot.jpg" in each for each in self.frigate.requests) + len(self.go2rtc.requests)

    def writes(self) -> list[str]:
        return [each for each in self.frigate.requests if each.startswith("POST") and "sub_label" in each]


@contextmanager
def following(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn, *, learn_s: float = 0, **settings: Any
) -> Iterator[FollowerHarness]:
    values = {"go2rtc_url": go2rtc.url, **settings}
    metrics, sources = Metrics(), FrameSources()
    replies: list[Future[Reply]] = []
    alive: list[str] = []

    def submit(request: Request) -> Future[Reply]:
        replies.append(gateway.service.submit(request))
        return replies[-1]

    follower = Follower(
        "home",
        settings_for(frigate, **values),
        client_of(frigate, **values),
        submit,
        SourceRules(lambda _: True, sources.claim, lambda _: True, alive.append, lambda _: None),
        metrics,
        learn_s,
    )
    follower.start()
    try:
        yield FollowerHarness(frigate, go2rtc, follower, metrics, sources, replies, alive)
    finally:
        follower.stop()


def test_known_person_is_named_in_the_event(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "gateway")
    with following(gateway, frigate, go2rtc) as harness:
        event = harness.event()
        harness.send("new", event)
        wait_for(lambda: event.sub_label)
        assert event.sub_label == "Barack Obama"
        assert event.score is not None
        assert 0.5 < event.score <= 1
        wait_for(lambda: harness.count("frigate_names"))
        assert harness.pictures() == 1
        # nothing more is asked for after the decision
        harness.send("update", replace(event, frame_time=time.time()))
        harness.end(event)
        assert harness.writes() == [f"POST /api/events/{event.id}/sub_label"]
    assert f"the name of event {event.id} was written" in caplog.text
    # The log does not say who was seen.
    assert "Obama" not in caplog.text


@pytest.mark.parametrize("version", ["0.16", "0.18"])
def test_main_stream_is_used_where_the_snapshot_shows_no_usable_face(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn
) -> None:
    with following(gateway, frigate, go2rtc) as harness:
        go2rtc.frames[harness.camera] = lambda: OBAMA
        event = harness.event(EMPTY)
        harness.send("new", event)
        wait_for(lambda: event.sub_label)
        assert event.sub_label == "Barack Obama"
        assert [each.split("?")[0] for each in go2rtc.requests] == ["GET /api/frame.jpeg"]


@pytest.mark.parametrize("version", ["0.17"])
def test_recording_is_used_after_the_end(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.integrations.frigate.tracked_event.RECORDING_S", 0.1)
    with following(gateway, frigate, go2rtc, main_stream=False) as harness:
        frigate.cameras.add(harness.camera)
        frigate.recordings[harness.camera] = lambda _: OBAMA
        event = harness.event(EMPTY)
        harness.send("new", event)
        wait_for(lambda: harness.pictures() >= 1)
        harness.end(event)
        wait_for(lambda: event.sub_label)
        assert event.sub_label == "Barack Obama"


@pytest.mark.parametrize("version", ["0.18"])
def test_stranger_is_never_named(gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn) -> None:
    with following(gateway, frigate, go2rtc, attempts=3, recording=False) as harness:
        go2rtc.frames[harness.camera] = lambda: STRANGER
        event = harness.event(STRANGER)
        harness.send("new", event)
        wait_for(lambda: harness.count("frigate_pictures") == 3)
        assert (event.sub_label, harness.writes()) == (None, [])


@pytest.mark.parametrize("version", ["0.18"])
def test_two_people_in_a_picture_are_named_in_their_own_events(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn, shared: Path
) -> None:
    """A picture of Obama on the left and Biden on the right, 1126 x 661 pixels."""
    both = (shared / "portraits" / "_several" / "two_people.jpg").read_bytes()
    with following(gateway, frigate, go2rtc, main_stream=False) as harness:
        left = harness.event(both, 1, box=(150, 20, 500, 661))
        right = harness.event(both, 2, box=(650, 20, 1100, 661))
        for event in (left, right):
            harness.send("new", event)
        wait_for(lambda: left.sub_label and right.sub_label)
        assert (left.sub_label, right.sub_label) == ("Barack Obama", "Joe Biden")


@pytest.mark.parametrize("version", ["0.16", "0.18"])
def test_no_name_is_written_where_the_picture_does_not_tell_whose_it_is(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn
) -> None:
    """Two people are on the camera, and one face is seen outside of both boxes."""
    with following(gateway, frigate, go2rtc, attempts=2, recording=False) as harness:
        go2rtc.frames[harness.camera] = lambda: OBAMA
        events = [harness.event(number=number, box=(700, 60, 850, 480)) for number in (1, 2)]
        for event in events:
            harness.send("new", event)
        wait_for(lambda: harness.count("frigate_pictures") == 4)
        assert [each.sub_label for each in events] == [None, None]
        assert harness.writes() == []


def test_no_name_is_written_while_other_events_may_be_unknown(
    gateway: Gateway, start_frigate: StartFrigate, go2rtc: Go2rtcStandIn
) -> None:
    """After a start somebody may stand there whose event began before."""
    with following(gateway, start_frigate("0.17"), go2rtc, learn_s=60, attempts=2, recording=False) as harness:
        go2rtc.frames[harness.camera] = lambda: OBAMA
        harness.send("new", harness.event())
        # a second picture is taken only if the first one gave no name
        wait_for(lambda: harness.count("frigate_pictures") == 2)
        assert harness.writes() == []


def test_name_at_frigate_is_never_replaced(gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn) -> None:
    with following(gateway, frigate, go2rtc) as harness:
        told = harness.event(number=1, sub_label="Michelle", score=0.9)
        harness.send("new", told)
        # a user names the second event, which Frigate tells in no message
        untold = harness.event(number=2, camera=f"{harness.camera}_2")
        message = untold.message("new")
        untold.sub_label = "Malia"
        harness.receive("frigate/events", message)
        wait_for(lambda: f"GET /api/events/{untold.id}" in frigate.requests)
        wait_for(lambda: harness.count("frigate_pictures") == 2)
    # the follower has ended
    assert (told.sub_label, untold.sub_label) == ("Michelle", "Malia")
    assert harness.writes() == []


@pytest.mark.parametrize("version", ["0.17"])
def test_write_back_can_be_switched_off(gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn) -> None:
    with following(gateway, frigate, go2rtc, write_back=False) as harness:
        event = harness.event()
        harness.send("new", event)
        wait_for(lambda: harness.count("frigate_pictures") == 1)
        harness.end(event)
        assert harness.writes() == []


@pytest.mark.parametrize("version", ["0.16", "0.18"])
def test_viewer_gets_one_sentence_and_no_name(
    gateway: Gateway,
    start_frigate: StartFrigate,
    go2rtc: Go2rtcStandIn,
    version: Version,
    caplog: pytest.LogCaptureFixture,
) -> None:
    frigate = start_frigate(version, {"facegate": User(PHRASE, role="viewer")})
    with following(gateway, frigate, go2rtc, user="facegate", password=PHRASE) as harness:
        for number in (1, 2, 3):
            event = harness.event(number=number, camera=f"{harness.camera}_{number}")
            harness.send("new", event)
            wait_for(lambda count=number: harness.follower.refusals.count("write a name", "role") == count)
            harness.end(event)
            assert event.sub_label is None
        assert len([each for each in caplog.records if "role admin" in each.message]) == 1
        assert len(harness.follower.refusals.warnings) == 1


@pytest.mark.parametrize("version", ["0.17"])
def test_frigate_that_is_away_is_asked_again(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with following(gateway, frigate, go2rtc, main_stream=False) as harness:
        frigate.fail_next("snapshot", Answer(503), Answer(302, b"", {"Location": "http://127.0.0.1:9/"}))
        event = harness.event()
        harness.send("new", event)
        wait_for(lambda: event.sub_label)
        assert harness.count("frigate_refusals") == 2


@pytest.mark.parametrize("version", ["0.18"])
def test_camera_with_frames_of_its_own_gets_no_pictures_of_frigate(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn
) -> None:
    with following(gateway, frigate, go2rtc) as harness:
        harness.sources.claim(harness.camera, OWN_FRAMES)
        harness.send("new", harness.event())
        wait_for(lambda: harness.sources.warnings)
        assert harness.pictures() == 0
        assert "Frigate (frigate.home)" in harness.sources.warnings[0]


def test_correction_of_a_sighting_changes_the_own_name_only(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn
) -> None:
    with following(gateway, frigate, go2rtc) as harness:
        event = harness.event()
        harness.send("new", event)
        wait_for(lambda: event.sub_label == "Barack Obama")
        sighting = harness.sighting()
        harness.follower.note_name(replace(sighting, person=Person("joe_biden", "Joe Biden")))
        wait_for(lambda: event.sub_label == "Joe Biden")
        harness.follower.note_name(replace(sighting, person=None))
        wait_for(lambda: event.sub_label is None)
        event.sub_label = "Michelle"
        harness.follower.note_name(replace(sighting, person=Person("joe_biden", "Joe Biden")))
        harness.follower.stop()
        assert event.sub_label == "Michelle"


@pytest.mark.parametrize("version", ["0.18"])
def test_correction_during_a_write_is_written_after_it(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: the follower took its own name for that of a user, and the corrected name was never written."""
    goes_on, write = threading.Event(), NameWriter.write

    def write_slowly(writer: NameWriter, change: NameChange) -> bool:
        written = write(writer, change)
        assert goes_on.wait(WAIT_S)
        return written

    monkeypatch.setattr(NameWriter, "write", write_slowly)
    with following(gateway, frigate, go2rtc) as harness:
        event = harness.event()
        harness.send("new", event)
        wait_for(lambda: event.sub_label == "Barack Obama")
        for name in ("Joe Biden", "Grace Hopper"):
            harness.follower.note_name(replace(harness.sighting(), person=Person(name.lower().replace(" ", "_"), name)))
        goes_on.set()
        wait_for(lambda: event.sub_label == "Grace Hopper")


@pytest.mark.parametrize("version", ["0.18"])
def test_name_is_written_after_a_write_that_failed_by_a_bug(
    gateway: Gateway,
    frigate: FrigateStandIn,
    go2rtc: Go2rtcStandIn,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Regression: the event waited for the end of this write for ever, and got no other name."""
    get = FrigateServer.get_sub_label

    def fail_once(_server: FrigateServer, event: str) -> str | None:
        monkeypatch.setattr(FrigateServer, "get_sub_label", get)
        raise ZeroDivisionError(event)

    monkeypatch.setattr(FrigateServer, "get_sub_label", fail_once)
    with following(gateway, frigate, go2rtc) as harness:
        event = harness.event()
        harness.send("new", event)
        wait_for(lambda: "a bug in the gateway: the name of an event at Frigate" in caplog.text)
        assert event.sub_label is None
        harness.follower.note_name(replace(harness.sighting(), person=Person("joe_biden", "Joe Biden")))
        wait_for(lambda: event.sub_label == "Joe Biden")


@pytest.mark.parametrize("version", ["0.18"])
def test_cameras_that_work_at_frigate_are_known_as_connected(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn
) -> None:
    """Their pictures come only with events, which may be hours apart."""
    with following(gateway, frigate, go2rtc, cameras=["porch", "yard"]) as harness:
        stats = {"porch": {"camera_fps": 5.0}, "yard": {"camera_fps": 0.0}, "hall": {"camera_fps": 5.0}, "a/b": {}}
        harness.receive("frigate/stats", json.dumps({"cameras": stats, "service": {"uptime": 1}}).encode())
        wait_for(lambda: harness.alive)
        assert harness.alive == ["porch"]


@pytest.mark.parametrize("version", ["0.18"])
def test_messages_of_another_form_are_counted_and_said_once(
    gateway: Gateway, frigate: FrigateStandIn, go2rtc: Go2rtcStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    with following(gateway, frigate, go2rtc) as harness:
        for topic in ("frigate/events", "frigate/stats", "frigate/events"):
            harness.receive(topic, b"{")
        wait_for(lambda: harness.count("messages_ignored") == 3)
        harness.receive("frigate/events", bytes(MAX_MESSAGE_BYTES + 1))
        assert harness.count("messages_ignored") == 4
        assert len([each for each in caplog.records if "not one of Frigate's" in each.message]) == 1
        # the follower goes on
        event = harness.event()
        harness.send("new", event)
        wait_for(lambda: event.sub_label)
