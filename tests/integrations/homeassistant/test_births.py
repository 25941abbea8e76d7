"""The listener for starts of Home Assistant."""

from __future__ import annotations

import threading

import pytest

from gateway.integrations.homeassistant.births import BIRTH_TOPIC, Births


class Repetitions:
    """The number of repetitions. ``first``: set by the first one."""

    def __init__(self) -> None:
        self.count = 0
        self.first = threading.Event()

    def repeat(self) -> None:
        self.count += 1
        self.first.set()


def timers() -> set[threading.Timer]:
    """Return the timers that run. Other threads may belong to a gateway of other tests."""
    return {each for each in threading.enumerate() if isinstance(each, threading.Timer)}


def test_start_of_home_assistant_repeats_everything() -> None:
    repetitions = Repetitions()
    Births(repetitions.repeat, lambda: 0).receive(BIRTH_TOPIC, b"online")
    assert repetitions.first.wait(60)


@pytest.mark.parametrize("payload", [b"offline", b"", b"\xff", b"ONLINE"])
def test_other_messages_repeat_nothing(payload: bytes) -> None:
    before = timers()
    Births(lambda: None, lambda: 0).receive(BIRTH_TOPIC, payload)
    assert timers() <= before


def test_many_messages_repeat_everything_once() -> None:
    """Any client of the broker can publish such messages."""
    repetitions = Repetitions()
    births = Births(repetitions.repeat, lambda: 0)
    for _ in range(1000):
        births.receive(BIRTH_TOPIC, b"online")
    assert repetitions.first.wait(60)
    for _ in range(1000):
        births.receive(BIRTH_TOPIC, b"online")
    births.stop()
    assert repetitions.count == 1


def test_message_soon_after_a_repetition_is_not_lost() -> None:
    """The next repetition waits instead."""
    repetitions = Repetitions()
    births = Births(repetitions.repeat, lambda: 0)
    births.receive(BIRTH_TOPIC, b"online")
    assert repetitions.first.wait(60)
    before = timers()
    births.receive(BIRTH_TOPIC, b"online")
    (timer,) = timers() - before
    assert 0 < timer.interval <= 10
    births.stop()


def test_stop_ends_the_wait() -> None:
    repetitions = Repetitions()
    births = Births(repetitions.repeat, lambda: 3600)
    before = timers()
    births.receive(BIRTH_TOPIC, b"online")
    (timer,) = timers() - before
    births.stop()
    timer.join(60)
    assert not timer.is_alive()
    assert repetitions.count == 0
