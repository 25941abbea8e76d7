from __future__ import annotations

import signal

import pytest

from device_sim.inbox import SIGNALS, Inbox, Stopped
from device_sim.model import Message

MESSAGE = Message("sim-1", "result", b"", None, 0)


def test_inbox_returns_messages_in_order() -> None:
    inbox = Inbox()
    inbox.put(MESSAGE)
    assert inbox.get(1) is MESSAGE
    assert inbox.get(0) is None


def test_inbox_does_not_wait_for_a_negative_time() -> None:
    assert Inbox().get(-1) is None


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_raises_stopped_in_get_only(number: signal.Signals) -> None:
    inbox = Inbox()
    with inbox.signals():
        # This thread gets the signal. Another one, which kill may choose, would not wake it.
        signal.raise_signal(number)
        assert not inbox.stopped
        with pytest.raises(Stopped):
            inbox.get(5)
    assert inbox.stopped


def test_signals_restores_the_earlier_handlers() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Inbox().signals():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
