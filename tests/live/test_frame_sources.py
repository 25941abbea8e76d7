"""The rule that each camera has one source of pictures."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from gateway.live.frame_sources import HOLD_S, OWN_FRAMES, WARNING_S, FrameSources, claiming
from gateway.model import Operation, Origin, Reply, Request
from gateway.model.caller import camera_caller

FRIGATE = "Frigate (frigate.home)"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sources(clock: Clock) -> FrameSources:
    return FrameSources(clock)


def test_camera_belongs_to_the_source_that_came_first(sources: FrameSources, clock: Clock) -> None:
    assert sources.claim("porch", FRIGATE)
    assert not sources.claim("porch", "Frigate (frigate.other)")
    assert sources.claim("yard", "Frigate (frigate.other)")
    clock.now += HOLD_S + 1
    assert sources.claim("porch", "Frigate (frigate.other)")


def test_frames_of_the_camera_itself_always_win(sources: FrameSources) -> None:
    assert sources.claim("porch", FRIGATE)
    assert sources.claim("porch", OWN_FRAMES)
    assert not sources.claim("porch", FRIGATE)


def test_conflict_is_said_once_and_shown_for_an_hour(
    sources: FrameSources, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    sources.claim("porch", OWN_FRAMES)
    for _ in range(3):
        assert not sources.claim("porch", FRIGATE)
    (record,) = caplog.records
    assert "The camera porch has pictures from its own frames and from Frigate (frigate.home)" in record.message
    assert sources.warnings == (record.message,)
    clock.now += WARNING_S + 1
    assert not sources.warnings


def test_number_of_remembered_cameras_is_bounded(sources: FrameSources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.live.frame_sources.MAX_CAMERAS", 3)
    for n in range(20):
        sources.claim(f"camera{n}", OWN_FRAMES)
        assert not sources.claim(f"camera{n}", FRIGATE)
    assert len(sources.warnings) == 3
    # The first cameras are forgotten, and the last three are not.
    assert sources.claim("camera16", FRIGATE)
    assert not sources.claim("camera19", FRIGATE)


@pytest.mark.parametrize("live", [True, False])
def test_live_frames_claim_their_camera(sources: FrameSources, live: bool) -> None:
    submitted: list[Request] = []

    def submit(request: Any) -> Any:
        submitted.append(request)
        return Future[Reply]()

    origin = Origin(caller=camera_caller("porch"))
    request = Request(operation=Operation.FACE_REC, pictures=(b"x",), valid_for_s=1, origin=origin, live=live)
    claiming(submit, sources)(request)
    assert submitted == [request]
    assert sources.claim("porch", FRIGATE) is not live
