from __future__ import annotations

import os
import signal

import pytest

from device_sim.inbox import SIGNALS, Inbox, Stop
from device_sim.model import Message

MESSAGE = Message("sim-1", "result", b"", None, 0)


def test_messages_come_in_order() -> None:
    inbox = Inbox()
    inbox.put(MESSAGE)
    assert inbox.get(1) is MESSAGE
    assert inbox.get(0) is None


def test_a_time_that_has_passed_is_not_waited_for() -> None:
    assert Inbox().get(-1) is None


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_raises_stop_where_we_wait_and_only_there(number: signal.Signals) -> None:
    inbox = Inbox()
    with inbox.signals():
        os.kill(os.getpid(), number)
        assert not inbox.stopped
        with pytest.raises(Stop):
            inbox.get(5)
    assert inbox.stopped


def test_the_handlers_before_are_put_back() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Inbox().signals():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
