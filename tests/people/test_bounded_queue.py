from __future__ import annotations

import threading
from queue import Empty

import pytest

from gateway.people.bounded_queue import BoundedQueue
from tests.support import WAIT_S


@pytest.fixture
def queue() -> BoundedQueue[str]:
    return BoundedQueue(max_items=3, max_bytes=100)


def test_queue_returns_items_in_order(queue: BoundedQueue[str]) -> None:
    assert all(queue.offer(name, 1) for name in "abc")
    assert [queue.get(0) for _ in range(3)] == ["a", "b", "c"]
    with pytest.raises(Empty):
        queue.get(0)


def test_full_queue_refuses_an_item(queue: BoundedQueue[str]) -> None:
    assert [queue.offer(name, 1) for name in "abcd"] == [True, True, True, False]


def test_queue_refuses_an_item_until_its_bytes_fit(queue: BoundedQueue[str]) -> None:
    assert queue.offer("a", 60)
    assert not queue.offer("b", 41)
    assert queue.offer("c", 40)
    queue.get(0)
    assert queue.offer("d", 60)


def test_empty_queue_takes_an_item_of_any_size(queue: BoundedQueue[str]) -> None:
    assert queue.offer("a", 1000)
    assert not queue.offer("b", 1)
    assert queue.get(0) == "a"


def test_waiting_reader_gets_the_next_item(queue: BoundedQueue[str]) -> None:
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(queue.get(20)))
    reader.start()
    queue.offer("a", 1)
    reader.join(WAIT_S)
    assert found == ["a"]


def test_one_source_cannot_fill_the_queue() -> None:
    """Regression: strangers in front of one camera filled the queue for all cameras."""
    queue: BoundedQueue[str] = BoundedQueue(max_items=32, max_bytes=3200)
    assert [queue.offer("a", 1, "porch") for _ in range(9)] == [True] * 8 + [False]
    for camera in ("door", "yard", "gate"):
        assert all(queue.offer("b", 1, camera) for _ in range(8))
    assert not queue.offer("c", 1, "another")
    queue.get(0)
    assert queue.offer("d", 1, "porch")


def test_one_source_cannot_use_all_bytes() -> None:
    queue: BoundedQueue[str] = BoundedQueue(max_items=32, max_bytes=400)
    assert queue.offer("larger than a share", 150, "porch")
    assert not queue.offer("a", 1, "porch")
    assert [queue.offer("b", 50, "door") for _ in range(3)] == [True, True, False]
