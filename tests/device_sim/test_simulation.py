from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice, repeat
from pathlib import Path

import pytest

from device_sim import simulation as simulation_module
from device_sim import stream
from device_sim.camera import Camera
from device_sim.connection import Broker
from device_sim.inbox import Inbox
from device_sim.model import Picture, Sent, Skipped
from device_sim.simulation import Simulation
from device_sim.stream import Stream
from tests import support
from tests.support import WAIT_S, broker_running

PICTURE = Picture("one.jpg", b"\xff\xd8\xff")


def camera(name: str, broker: support.Broker, inbox: Inbox) -> Camera:
    talk = Stream(repeat(PICTURE), timeout=0.2)
    return Camera(name, talk, inbox.put, broker=Broker(port=broker.port), base="nobody")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def simulation(broker: support.Broker, inbox: Inbox) -> Iterator[Simulation]:
    """Two cameras with 25 pictures per second each, and no gateway."""
    with camera("s-1", broker, inbox) as first, camera("s-2", broker, inbox) as second:
        yield Simulation([first, second], inbox, rate=25, timeout=0.2)


def test_cameras_send_in_turn_and_stop_at_their_count(simulation: Simulation) -> None:
    """A skipped picture also counts. It is skipped if the picture before was not sent within 40 ms."""
    assert [event.camera for event in simulation.events(count=3) if isinstance(event, Sent | Skipped)] == [
        "s-1",
        "s-2",
    ] * 3


def test_rate_does_not_depend_on_the_time_of_a_picture(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    # Otherwise a machine that stands still for a second moves the pictures after it.
    monkeypatch.setattr(simulation_module, "MAX_BACKLOG_S", 3600)
    start, due = time.monotonic(), list[float]()
    for _, at in islice(simulation._schedule(start), 40):
        # Half of the 20 ms between two pictures.
        time.sleep(0.01)
        due.append(at - start)
    assert due == pytest.approx([number * 0.02 for number in range(40)])


def test_no_picture_is_sent_before_its_time(simulation: Simulation) -> None:
    start = time.monotonic()
    sent = [time.monotonic() - start for event in simulation.events(count=10) if isinstance(event, Sent | Skipped)]
    assert len(sent) == 20
    assert all(at >= number * 0.02 for number, at in enumerate(sent))


def test_run_ends_after_its_time(simulation: Simulation) -> None:
    """On a busy machine the last pictures may be late, and are then left out."""
    start = time.monotonic()
    events = list(simulation.events(seconds=0.4))
    assert time.monotonic() - start >= 0.4
    assert 0 < len(events) <= 21


def test_stop_ends_the_sending_and_then_the_waiting(
    broker: support.Broker, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_ANSWER_S", 120)
    talk = Stream(repeat(PICTURE), timeout=120)
    with Camera("s-5", talk, inbox.put, broker=Broker(port=broker.port), base="nobody") as only:
        events = Simulation([only], inbox, rate=25, timeout=120).events()
        next(events)
        inbox.stop()
        inbox.stop()
        assert list(events) == []
        # So not the time limit ended the waiting.
        assert only.is_waiting()
    assert inbox.stopped


def test_picture_without_a_connection_is_skipped(tmp_path: Path, inbox: Inbox) -> None:
    with broker_running(tmp_path) as broker, camera("s-3", broker, inbox) as only:
        events = Simulation([only], inbox, rate=50, timeout=0.2).events()
        assert isinstance(next(events), Sent)
        broker.stop()
        assert any(isinstance(event, Skipped) for event, _ in zip(events, range(50 * WAIT_S), strict=False))
