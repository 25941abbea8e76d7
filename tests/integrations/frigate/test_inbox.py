"""The bounds of the messages that wait for a follower."""

from __future__ import annotations

import pytest

from gateway.contract.frigate import MAX_MESSAGE_BYTES
from gateway.integrations.frigate.inbox import MAX_WAITING, MAX_WAITING_BYTES, Inbox
from tests.support import WAIT_S


def nothing() -> None:
    pass


def fill(inbox: Inbox, size: int) -> int:
    """Add messages until one is refused, and return their number."""
    count = 0
    while inbox.put_message(nothing, size):
        count += 1
    return count


@pytest.mark.parametrize(
    ("size", "most"), [(1000, MAX_WAITING), (MAX_MESSAGE_BYTES, MAX_WAITING_BYTES // MAX_MESSAGE_BYTES)]
)
def test_number_and_bytes_of_messages_are_bounded(size: int, most: int) -> None:
    inbox = Inbox()
    assert fill(inbox, size) == most
    inbox.get(timeout=WAIT_S)
    assert fill(inbox, size) == 1


def test_tasks_of_the_gateway_have_room_beside_a_flood() -> None:
    inbox = Inbox()
    fill(inbox, 1000)
    inbox.put(None)
    found = [inbox.get(timeout=WAIT_S) for _ in range(MAX_WAITING + 1)]
    assert found[-1] is None
    assert None not in found[:-1]
