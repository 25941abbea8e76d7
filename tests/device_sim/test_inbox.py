from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from device_sim.inbox import SIGNALS, Inbox
from device_sim.model import Message

MESSAGE = Message("sim-1", "result", b"", None, 0)


def test_inbox_returns_messages_in_order() -> None:
    inbox = Inbox()
    inbox.put(MESSAGE)
    assert inbox.get(1) is MESSAGE
    assert inbox.get(0) is None


def test_inbox_does_not_wait_for_a_negative_time() -> None:
    assert Inbox().get(-1) is None


# A process of its own, because a signal that goes wrong ends the process that runs the tests without a word.
WAITING = """
from device_sim.inbox import Inbox, Stopped

inbox = Inbox()
with inbox.signals():
    print("waiting", flush=True)
    try:
        print("message", inbox.get(60))
    except Stopped:
        print("stopped", inbox.stopped)
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_raises_stopped_in_get_only(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        assert process.communicate()[0] == "stopped True\n"
        assert process.returncode == 0


def test_signals_restores_the_earlier_handlers() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Inbox().signals():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
