"""The plan of the pictures of an event, and the people who are on a camera at one moment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from benchmarks.frigate_stand_in import Event
from gateway.config.frigate_section import FrigateSettings
from gateway.contract.frigate import read_frigate_message
from gateway.integrations.frigate.event_book import LEARN_S, MAX_EVENTS, EventBook, FrameTime
from gateway.integrations.frigate.tracked_event import Attempt, TrackedEvent

UNIX = 1_700_000_000.0
"""The time at which Frigate's clock starts in these tests, when the other clock is at 0."""


class BookHarness:
    """An event book, a clock, and a Frigate that sends messages."""

    def __init__(self, learn_s: float = 0, **settings: Any) -> None:
        self.owned = {"porch", "yard"}
        values = {"url": "http://f", "go2rtc_url": "http://f:1984", **settings}
        self.settings = FrigateSettings.model_validate(values)
        self.book = EventBook(self.settings, lambda camera: camera in self.owned, 0.0, learn_s)
        self.now = 0.0

    def event(self, number: int = 1, camera: str = "porch", **changes: Any) -> Event:
        moment = UNIX + self.now
        event = Event(id=f"{number}-abc", camera=camera, start=moment, frame=b"x", frame_time=moment)
        return replace(event, **changes)

    def send(self, kind: Literal["new", "update", "end"], event: Event) -> TrackedEvent | None:
        self.book.add(read_frigate_message(event.message(kind)), self.now)
        return self.book.get(event.id)

    def take(self, *, usable: bool = False, decided: bool = False) -> list[Attempt]:
        """Begin and end the pictures that are due."""
        attempts = self.book.begin_attempts(self.now)
        for attempt in attempts:
            event = self.book.end_attempt(attempt)
            assert event is not None
            event.end_attempt(self.now, taken=True, usable=usable, decided=decided)
        return attempts

    def run(self, seconds: float, *, usable: bool = False) -> Iterator[tuple[float, str]]:
        """Give the moment and the step of each picture of the next seconds."""
        end = self.now + seconds
        while (due := self.book.due()) <= end:
            self.now = max(self.now, due)
            yield from ((round(self.now, 1), attempt.step) for attempt in self.take(usable=usable))
        self.now = end


def test_cascade_goes_on_to_the_next_step_until_a_face_can_be_used() -> None:
    harness = BookHarness()
    harness.send("new", harness.event())
    assert [each.step for each in harness.take()] == ["snapshot"]
    assert [each.step for each in harness.take(usable=True)] == ["main_stream"]
    assert harness.take() == []
    assert harness.book.due() == 1.0


def test_pictures_are_taken_only_of_own_cameras() -> None:
    harness = BookHarness()
    harness.owned = {"yard"}
    harness.send("new", harness.event())
    assert harness.book.due() == math.inf
    assert harness.take() == []
    # The camera moves to this replica, while the person is on it.
    harness.owned = {"porch"}
    assert [each.event for each in harness.take()] == ["1-abc"]


def test_event_that_ended_on_a_camera_of_others_is_left_to_them() -> None:
    harness = BookHarness()
    event = harness.event()
    harness.owned = set()
    harness.send("new", event)
    harness.send("end", replace(event, end=UNIX))
    harness.owned = {"porch"}
    assert harness.book.due() == math.inf


def test_attempts_of_an_event_are_bounded_and_spread() -> None:
    harness = BookHarness()
    event = harness.event()
    harness.send("new", event)
    live = list(harness.run(600))
    assert len(live) == 6
    assert [moment for moment, _ in live] == [0.0, 0.0, 1.0, 2.5, 5.0, 10.0]
    harness.send("end", replace(event, end=UNIX + 600))
    assert list(harness.run(600)) == [(645.0, "recording"), (645.0, "recording")]
    assert harness.book.due() == math.inf


@pytest.mark.parametrize("attempts", [1, 2, 3, 8, 30])
def test_no_event_gets_more_pictures_than_the_setting(attempts: int) -> None:
    harness = BookHarness(attempts=attempts)
    event = harness.event()
    harness.send("new", event)
    taken: list[tuple[float, str]] = []
    for second in range(1, 200):
        taken += harness.run(1)
        harness.send("update", replace(event, frame_time=UNIX + second, end=None))
    harness.send("end", replace(event, end=UNIX + 200))
    taken += harness.run(300)
    assert len(taken) == attempts


def test_same_snapshot_is_not_taken_twice() -> None:
    harness = BookHarness(main_stream=False)
    event = harness.event()
    harness.send("new", event)
    assert list(harness.run(30)) == [(0.0, "snapshot")]
    harness.send("update", replace(event, frame_time=UNIX + 30))
    assert list(harness.run(30)) == [(30.0, "snapshot")]


def test_better_snapshot_is_taken_without_waiting_for_the_next_round() -> None:
    harness = BookHarness(main_stream=False)
    event = harness.event()
    harness.send("new", event)
    list(harness.run(3.0))
    harness.send("update", replace(event, frame_time=UNIX + 3))
    assert list(harness.run(1.0)) == [(3.0, "snapshot")]


def test_no_picture_is_taken_after_a_decision() -> None:
    harness = BookHarness()
    event = harness.event()
    harness.send("new", event)
    harness.take(decided=True)
    harness.send("update", replace(event, frame_time=UNIX + 1))
    harness.send("end", replace(event, end=UNIX + 2))
    assert list(harness.run(600)) == []


def test_end_of_an_event_is_used_once() -> None:
    harness = BookHarness(recording=True, snapshot=False, main_stream=False)
    event = harness.event()
    harness.send("new", event)
    harness.now = 10
    for _ in range(3):
        harness.send("end", replace(event, end=UNIX + 10, frame_time=UNIX + 4))
    found = []
    while (due := harness.book.due()) < math.inf:
        harness.now = due
        found += harness.take()
    assert [each.moment for each in found] == [UNIX + 4, UNIX + 5, UNIX + 7.5]
    assert harness.now == 55.0


def test_one_picture_of_a_camera_is_taken_at_a_time() -> None:
    """A newer frame of a camera replaces an older one that waits."""
    harness = BookHarness()
    for number, camera in ((1, "porch"), (2, "porch"), (3, "yard")):
        harness.send("new", harness.event(number, camera))
    begun = harness.book.begin_attempts(0.0)
    assert [each.camera for each in begun] == ["porch", "yard"]
    harness.book.end_attempt(begun[0])
    (following,) = harness.book.begin_attempts(0.0)
    assert following.event == "2-abc"


@pytest.mark.parametrize(
    "changes", [{"label": "car"}, {"camera": "yard"}], ids=["another object", "a camera that is not followed"]
)
def test_other_objects_and_cameras_are_ignored(changes: dict[str, Any]) -> None:
    harness = BookHarness(cameras=["porch"])
    assert harness.send("new", harness.event(**{"camera": "porch", **changes})) is None


def test_pictures_wait_until_a_zone_of_the_settings_is_entered() -> None:
    harness = BookHarness(zones=["drive"])
    event = harness.event()
    harness.send("new", event)
    assert harness.take() == []
    harness.send("update", replace(event, zones=("street", "drive")))
    assert [(each.step, each.zones) for each in harness.take()] == [("snapshot", ("street", "drive"))]


def test_person_in_another_zone_still_counts_as_somebody_on_the_camera() -> None:
    harness = BookHarness(zones=["drive"])
    harness.send("new", harness.event(1))
    found = harness.send("new", harness.event(2, zones=("drive",)))
    assert found is not None
    assert [each.id for each in harness.book.others_on_camera(found, FrameTime(), 0.0)] == ["1-abc"]


def test_others_are_those_who_were_there_when_the_frame_was_taken() -> None:
    harness = BookHarness()
    first = harness.event(1)
    harness.send("new", first)
    harness.now = 20
    harness.send("end", replace(first, end=UNIX + 20))
    harness.now = 30
    found = harness.send("new", harness.event(2))
    assert found is not None
    harness.now = 60
    harness.send("new", harness.event(3))

    def others(frame: FrameTime) -> list[str]:
        return [each.id for each in harness.book.others_on_camera(found, frame, harness.now)]

    assert others(FrameTime()) == ["3-abc"]
    assert others(FrameTime(UNIX + 10, UNIX + 10)) == ["1-abc"]
    assert others(FrameTime(UNIX + 40, UNIX + 40)) == []
    # a snapshot whose time Frigate does not say
    assert others(FrameTime(UNIX + 30)) == ["3-abc"]


def test_events_are_complete_only_after_a_minute_of_messages() -> None:
    """Somebody may stand there since before the gateway started."""
    harness = BookHarness(learn_s=LEARN_S)
    early = harness.send("new", harness.event(1))
    harness.now = LEARN_S + 1
    late, unseen = harness.send("new", harness.event(2)), harness.send("update", harness.event(3))
    assert early is not None
    assert late is not None
    assert unseen is not None
    assert [harness.book.is_complete_for(each) for each in (early, late, unseen)] == [False, True, False]
    harness.book.restart_learning(harness.now)
    assert not harness.book.is_complete_for(late)


def test_event_without_messages_is_taken_for_ended() -> None:
    """The message about the end may be lost: QoS 0."""
    harness = BookHarness()
    harness.send("new", harness.event(1))
    harness.now = 200
    found = harness.send("new", harness.event(2))
    assert found is not None
    assert harness.book.others_on_camera(found, FrameTime(), harness.now) == []


def test_number_of_remembered_events_is_bounded() -> None:
    harness = BookHarness()
    for number in range(1, MAX_EVENTS + 50):
        harness.send("new", harness.event(number))
    assert len(harness.book) == MAX_EVENTS
    harness.now = 10_000
    harness.send("new", harness.event(9999))
    assert len(harness.book) == 1


def test_finished_events_are_forgotten() -> None:
    harness = BookHarness()
    for number in range(1, 100):
        event = harness.event(number)
        harness.send("new", event)
        harness.send("end", replace(event, end=UNIX + harness.now))
        list(harness.run(30))
    assert len(harness.book) < 10


def test_replaced_picture_is_tried_again_later() -> None:
    harness = BookHarness(attempts=3, recording=False)
    harness.send("new", harness.event())
    (attempt,) = harness.book.begin_attempts(0.0)
    event = harness.book.end_attempt(attempt)
    assert event is not None
    event.give_up_attempt()
    assert event.due == 1.0
    assert event.attempts == 0


def test_snapshot_that_could_not_be_had_is_asked_for_again() -> None:
    harness = BookHarness(main_stream=False)
    harness.send("new", harness.event())
    (attempt,) = harness.book.begin_attempts(0.0)
    event = harness.book.end_attempt(attempt)
    assert event is not None
    event.end_attempt(0.0, taken=False, usable=False, decided=False)
    assert list(harness.run(30)) == [(1.0, "snapshot")]
