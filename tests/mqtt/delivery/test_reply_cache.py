from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import Future
from functools import partial

import pytest

from gateway.errors import BadImage, Busy, Conflict, GatewayError, NoFace, Timeout
from gateway.model import Comparison, Detection, Image, Reply
from gateway.mqtt.delivery import reply_cache as module
from gateway.mqtt.delivery.reply_cache import ReplyCache

DIFFERENT = Comparison(match=False, score=0.1, threshold=0.5, faces=(), timing={})
IMAGE = Image(640, 480, 5000)


class Work:
    """What is handed on, and how often."""

    def __init__(self) -> None:
        self.futures: list[Future[Reply]] = []

    def __call__(self) -> Future[Reply]:
        self.futures.append(Future())
        return self.futures[-1]


@pytest.fixture
def work() -> Work:
    return Work()


def test_the_same_again_gets_the_same_reply_and_costs_nothing(work: Work) -> None:
    """A device that repeats until it is answered made the gateway that was late later still."""
    cache = ReplyCache()
    first = cache.ask("door/1", 7, work)
    assert cache.ask("door/1", 7, work) is first  # under way
    first.set_result(DIFFERENT)
    assert cache.ask("door/1", 7, work).result() is DIFFERENT
    assert len(work.futures) == 1


@pytest.mark.parametrize("answered", [True, False])
def test_something_else_by_the_same_key_is_a_conflict(work: Work, answered: bool) -> None:
    cache = ReplyCache()
    first = cache.ask("door/1", 7, work)
    if answered:
        first.set_result(DIFFERENT)
    with pytest.raises(Conflict, match="door/1"):
        cache.ask("door/1", 8, work)
    assert cache.ask("yard/1", 8, work) is not first
    assert len(work.futures) == 2


@pytest.mark.parametrize("error", [Busy("full", 3), Timeout("slow"), GatewayError("broken"), ValueError("a fault")])
def test_what_says_nothing_of_the_request_is_asked_for_anew(work: Work, error: Exception) -> None:
    """`busy` means: ask again. Kept, it was the answer to whoever did."""
    cache = ReplyCache()
    cache.ask("door/1", 7, work).set_exception(error)
    assert not cache.ask("door/1", 7, work).done()
    assert len(work.futures) == 2


@pytest.mark.parametrize("error", [BadImage("no picture"), NoFace("nobody")])
def test_what_says_something_of_the_request_is_kept(work: Work, error: Exception) -> None:
    cache = ReplyCache()
    cache.ask("door/1", 7, work).set_exception(error)
    assert cache.ask("door/1", 7, work).exception() is error
    assert len(work.futures) == 1


def test_what_was_cancelled_is_asked_for_anew(work: Work) -> None:
    cache = ReplyCache()
    cache.ask("door/1", 7, work).cancel()
    assert not cache.ask("door/1", 7, work).done()


@pytest.mark.parametrize(("annotated", "times"), [(b"JPEG", 2), (None, 1)])
def test_a_reply_with_a_picture_is_not_kept(work: Work, annotated: bytes | None, times: int) -> None:
    cache = ReplyCache()
    cache.ask("door/1", 7, work).set_result(Detection(faces=(), image=IMAGE, timing={}, annotated=annotated))
    cache.ask("door/1", 7, work)
    assert len(work.futures) == times


def test_a_reply_that_fails_at_once_is_not_kept() -> None:
    cache, asked = ReplyCache(), list[int]()

    def refused() -> Future[Reply]:
        asked.append(1)
        reply: Future[Reply] = Future()
        reply.set_exception(Busy("full", 3))
        return reply

    for _ in range(2):
        cache.ask("door/1", 7, refused)
    assert len(asked) == 2


def test_they_are_known_for_as_long_as_a_request_is_good_for(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ReplyCache()
    cache.ask("door/1", 7, work).set_result(DIFFERENT)
    monkeypatch.setattr(module, "CACHED_S", 0.0)
    cache.ask("door/1", 8, work)
    assert len(work.futures) == 2


def test_they_are_bounded(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED_REPLIES", 10)
    cache = ReplyCache()
    for n in range(100):
        cache.ask(f"door/{n}", 7, work).set_result(DIFFERENT)
    assert len(cache._asked) <= 10
    cache.ask("door/99", 7, work)
    assert len(work.futures) == 100
    cache.ask("door/1", 7, work)
    assert len(work.futures) == 101


def test_what_is_under_way_is_never_forgotten(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a repeat would be computed beside it, when there is the least time for that."""
    monkeypatch.setattr(module, "MAX_CACHED_REPLIES", 3)
    monkeypatch.setattr(module, "CACHED_S", 0.0)
    cache = ReplyCache()
    for n in range(10):
        cache.ask(f"door/{n}", 7, work)
    cache.ask("door/0", 7, work)
    assert len(work.futures) == 10


def test_replies_come_from_other_threads_meanwhile(work: Work) -> None:
    cache, done = ReplyCache(), threading.Event()

    def reply() -> None:
        answered = 0
        while not done.is_set() or answered < len(work.futures):
            if answered < len(work.futures):
                work.futures[answered].set_exception(Busy("full", 3))
                answered += 1

    thread = threading.Thread(target=reply)
    thread.start()
    for n in range(2000):
        cache.ask(f"door/{n % 50}", 7, work)
    done.set()
    thread.join()
    cache.ask("door/0", 7, work)
    assert len(cache._asked) == 1


def _look(_picture: object, _reply: Future[Reply]) -> None:
    """What a door does with it when it is answered."""


class Picture:
    """Large, and to be forgotten."""


@pytest.mark.parametrize("outcome", [DIFFERENT, NoFace("no face")])
def test_what_is_kept_holds_nothing_of_what_was_asked(work: Work, outcome: Reply | NoFace) -> None:
    """A future keeps its callbacks, and with them the pictures: a thousand of these for a minute."""
    cache, picture = ReplyCache(), Picture()
    gone = weakref.ref(picture)
    cache.ask("door/1", 1, work).add_done_callback(partial(_look, picture))
    settle(work.futures.pop(), outcome)
    del picture
    gc.collect()
    assert gone() is None
    kept = cache.ask("door/1", 1, work)
    assert (kept.exception() or kept.result()) is outcome


def settle(reply: Future[Reply], outcome: Reply | NoFace) -> None:
    if isinstance(outcome, NoFace):
        reply.set_exception(outcome)
    else:
        reply.set_result(outcome)
