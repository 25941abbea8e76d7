from __future__ import annotations

import json
from typing import Any

import pytest

from device_sim import sighting_event
from device_sim.model import Contradiction, Message, Presence, SightingEvent
from device_sim.sighting_event import read
from tests.support import set_clock

NOW, TICKS = 1_790_000_000.0, 1000.0
"""The moment of a test on the wall clock, and on the clock of ``time.monotonic``."""


def message(**fields: Any) -> Message:
    document = {"schema": 1, "event_type": "recognised", "camera": "sim-1", "sighting": "s-1", "since": NOW - 2}
    return Message("sim-1", "event", json.dumps(document | fields).encode(), None, TICKS - 1)


def event(**fields: Any) -> SightingEvent:
    found = read(message(**fields))
    assert isinstance(found, SightingEvent)
    return found


def test_event_says_who_and_how_long_after_the_first_picture_it_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    # Both clocks stand still, so that the time of the test itself is not a part of the figure.
    set_clock(monkeypatch, sighting_event, time=lambda: NOW, monotonic=lambda: TICKS)
    found = event(name="Ada Lovelace")
    assert (found.camera, found.event_type, found.who, found.duration) == ("sim-1", "recognised", "Ada Lovelace", None)
    assert found.ms == pytest.approx(1000, abs=1)


def test_nameless_person_is_a_stranger() -> None:
    found = event(event_type="ended", name=None, duration=4.2)
    assert (found.who, found.duration) == ("stranger", 4.2)


@pytest.mark.parametrize("fields", [{"camera": "other"}, {"schema": 2}, {"since": None}])
def test_wrong_event_is_a_contradiction(fields: dict[str, Any]) -> None:
    assert isinstance(read(message(**fields)), Contradiction)


def test_presence_is_its_text() -> None:
    document = {"schema": 1, "count": 2, "text": "Ada Lovelace, 1 stranger"}
    message = Message("sim-1", "present", json.dumps(document).encode(), None, 0)
    assert read(message) == Presence("sim-1", "Ada Lovelace, 1 stranger")
    assert isinstance(read(Message("sim-1", "present", b"{}", None, 0)), Contradiction)


def test_cleared_presence_is_no_contradiction() -> None:
    """Regression: a new owner clears what the replica before it left, and the demo of the cluster reported errors."""
    assert read(Message("sim-1", "present", b"", None, 0)) == Presence("sim-1", "")
    assert isinstance(read(Message("sim-1", "event", b"", None, 0)), Contradiction)
