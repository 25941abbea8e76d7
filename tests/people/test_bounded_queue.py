from __future__ import annotations

import threading
from queue import Empty

import pytest

from gateway.people.bounded_queue import BoundedQueue


@pytest.fixture
def queue() -> BoundedQueue[str]:
    return BoundedQueue(max_items=3, max_bytes=100)


def test_items_come_out_in_their_order(queue: BoundedQueue[str]) -> None:
    assert all(queue.offer(name, 1) for name in "abc")
    assert [queue.get(0) for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(Empty):
        queue.get(0)


def test_an_item_over_the_number_is_left_out(queue: BoundedQueue[str]) -> None:
    assert [queue.offer(name, 1) for name in "abcd"] == [True, True, True, False]


def test_an_item_over_the_bytes_is_left_out_until_there_is_room(queue: BoundedQueue[str]) -> None:
    assert queue.offer("a", 60)
    assert not queue.offer("b", 41)
    assert queue.offer("c", 40)
    queue.get(0)
    assert queue.offer("d", 60)


def test_one_item_fits_however_large_it_is(queue: BoundedQueue[str]) -> None:
    assert queue.offer("a", 1000)
    assert not queue.offer("b", 1)
    assert queue.get(0) == "a"


def test_a_waiting_reader_gets_the_next_item(queue: BoundedQueue[str]) -> None:
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(queue.get(20)))
    reader.start()
    queue.offer("a", 1)
    reader.join(20)
    assert found == ["a"]
