"""The replies that a repeated request gets from the cache, and the parts of them that the cache keeps."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import Future
from functools import partial

import pytest

from gateway.errors import BadImage, Busy, Conflict, GatewayError, NoFace, Timeout
from gateway.model import Box, Comparison, Detection, Face, Image, Reply
from gateway.mqtt.delivery import reply_cache as module
from gateway.mqtt.delivery.reply_cache import ReplyCache

DIFFERENT = Comparison(match=False, score=0.1, threshold=0.5, faces=(), timing={})
IMAGE = Image(640, 480, 5000)


class Submissions:
    """The futures of the requests that were computed, in order. To be called in place of ``submit``."""

    def __init__(self) -> None:
        self.futures: list[Future[Reply]] = []

    def __call__(self) -> Future[Reply]:
        self.futures.append(Future())
        return self.futures[-1]


@pytest.fixture
def submit() -> Submissions:
    return Submissions()


def test_repeated_request_gets_the_same_reply_and_is_computed_once(submit: Submissions) -> None:
    """Regression: a device that repeated until it was answered made a slow gateway slower still."""
    cache = ReplyCache()
    first = cache.get_or_submit("door/1", 7, submit)
    assert cache.get_or_submit("door/1", 7, submit) is first
    first.set_result(DIFFERENT)
    assert cache.get_or_submit("door/1", 7, submit).result() is DIFFERENT
    assert len(submit.futures) == 1


def test_reply_of_before_a_removal_is_not_repeated(submit: Submissions) -> None:
    """Regression: within a minute after an erasure, a repeated request still got the name."""
    removals = [0]
    cache = ReplyCache(lambda: removals[0])
    cache.get_or_submit("door/1", 7, submit).set_result(DIFFERENT)
    removals[0] += 1
    second = cache.get_or_submit("door/1", 7, submit)
    removals[0] += 1
    assert cache.get_or_submit("door/1", 7, submit) is second
    second.set_result(DIFFERENT)
    cache.get_or_submit("door/1", 7, submit).set_result(DIFFERENT)
    assert cache.get_or_submit("door/1", 7, submit).result() is DIFFERENT
    assert len(submit.futures) == 3


@pytest.mark.parametrize("answered", [True, False])
def test_request_with_the_same_key_and_another_content_is_a_conflict(submit: Submissions, answered: bool) -> None:
    cache = ReplyCache()
    first = cache.get_or_submit("door/1", 7, submit)
    if answered:
        first.set_result(DIFFERENT)
    with pytest.raises(Conflict, match="door/1"):
        cache.get_or_submit("door/1", 8, submit)
    assert cache.get_or_submit("yard/1", 8, submit) is not first
    assert len(submit.futures) == 2


@pytest.mark.parametrize("error", [Busy("full", 3), Timeout("slow"), GatewayError("broken"), ValueError("a bug")])
def test_request_with_a_temporary_error_is_computed_again(submit: Submissions, error: Exception) -> None:
    """Regression: `busy` means that the device may ask again. It was kept, and the device got it again."""
    cache = ReplyCache()
    cache.get_or_submit("door/1", 7, submit).set_exception(error)
    assert not cache.get_or_submit("door/1", 7, submit).done()
    assert len(submit.futures) == 2


@pytest.mark.parametrize("error", [BadImage("no picture"), NoFace("nobody")])
def test_error_about_the_request_is_cached(submit: Submissions, error: Exception) -> None:
    cache = ReplyCache()
    cache.get_or_submit("door/1", 7, submit).set_exception(error)
    assert cache.get_or_submit("door/1", 7, submit).exception() is error
    assert len(submit.futures) == 1


def test_cancelled_request_is_computed_again(submit: Submissions) -> None:
    cache = ReplyCache()
    cache.get_or_submit("door/1", 7, submit).cancel()
    assert not cache.get_or_submit("door/1", 7, submit).done()


@pytest.mark.parametrize(("annotated", "times"), [(b"JPEG", 2), (None, 1)])
def test_reply_with_a_picture_is_not_cached(submit: Submissions, annotated: bytes | None, times: int) -> None:
    cache = ReplyCache()
    reply = Detection(faces=(), image=IMAGE, timing={}, annotated=annotated)
    cache.get_or_submit("door/1", 7, submit).set_result(reply)
    cache.get_or_submit("door/1", 7, submit)
    assert len(submit.futures) == times


@pytest.mark.parametrize(("faces", "times"), [(1, 1), (2, 2)])
def test_reply_with_many_landmarks_is_not_cached(submit: Submissions, faces: int, times: int) -> None:
    """Regression: a thousand cached meshes of 32 faces would have taken 2 GB."""
    cache = ReplyCache()
    face = Face(Box(0, 0, 9, 9), landmarks={"mesh": [(n, n) for n in range(468)]})
    reply = Detection(faces=(face,) * faces, image=IMAGE, timing={})
    cache.get_or_submit("door/1", 7, submit).set_result(reply)
    cache.get_or_submit("door/1", 7, submit)
    assert len(submit.futures) == times


def test_reply_that_fails_immediately_is_not_cached() -> None:
    cache, submissions = ReplyCache(), list[int]()

    def refuse() -> Future[Reply]:
        submissions.append(1)
        reply: Future[Reply] = Future()
        reply.set_exception(Busy("full", 3))
        return reply

    for _ in range(2):
        cache.get_or_submit("door/1", 7, refuse)
    assert len(submissions) == 2


def test_cache_drops_old_replies(submit: Submissions, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ReplyCache()
    cache.get_or_submit("door/1", 7, submit).set_result(DIFFERENT)
    monkeypatch.setattr(module, "CACHED_S", 0.0)
    cache.get_or_submit("door/1", 8, submit)
    assert len(submit.futures) == 2


def test_cache_is_bounded(submit: Submissions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED_REPLIES", 10)
    cache = ReplyCache()
    for n in range(100):
        cache.get_or_submit(f"door/{n}", 7, submit).set_result(DIFFERENT)
    assert len(cache._replies) <= 10
    cache.get_or_submit("door/99", 7, submit)
    assert len(submit.futures) == 100
    cache.get_or_submit("door/1", 7, submit)
    assert len(submit.futures) == 101


def test_cache_is_bounded_while_an_old_request_is_computed(
    submit: Submissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: as long as the oldest request had no reply, nothing was dropped."""
    monkeypatch.setattr(module, "MAX_CACHED_REPLIES", 10)
    cache = ReplyCache()
    slow = cache.get_or_submit("door/slow", 7, submit)
    for n in range(100):
        cache.get_or_submit(f"door/{n}", 7, submit).set_result(DIFFERENT)
    assert len(cache._replies) <= 10
    assert cache.get_or_submit("door/slow", 7, submit) is slow


def test_cache_never_drops_a_reply_that_is_being_computed(submit: Submissions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a repeated request would be computed a second time, while the gateway is busiest."""
    monkeypatch.setattr(module, "MAX_CACHED_REPLIES", 3)
    monkeypatch.setattr(module, "CACHED_S", 0.0)
    cache = ReplyCache()
    for n in range(10):
        cache.get_or_submit(f"door/{n}", 7, submit)
    cache.get_or_submit("door/0", 7, submit)
    assert len(submit.futures) == 10


def test_cache_takes_replies_from_other_threads(submit: Submissions) -> None:
    cache, done = ReplyCache(), threading.Event()

    def reply() -> None:
        answered = 0
        while not done.is_set() or answered < len(submit.futures):
            if answered < len(submit.futures):
                submit.futures[answered].set_exception(Busy("full", 3))
                answered += 1

    thread = threading.Thread(target=reply)
    thread.start()
    for n in range(2000):
        cache.get_or_submit(f"door/{n % 50}", 7, submit)
    done.set()
    thread.join()
    cache.get_or_submit("door/0", 7, submit)
    assert len(cache._replies) == 1


class Picture:
    """A large object that a cached reply must not keep."""


def publish(_picture: object, _reply: Future[Reply]) -> None:
    """A callback of a reply, as an interface has one."""


@pytest.mark.parametrize("outcome", [DIFFERENT, NoFace("no face")])
def test_cached_reply_keeps_nothing_of_its_request(submit: Submissions, outcome: Reply | NoFace) -> None:
    """Regression: a future keeps its callbacks, and so the cache kept a thousand pictures for a minute."""
    cache, picture = ReplyCache(), Picture()
    kept = weakref.ref(picture)
    cache.get_or_submit("door/1", 1, submit).add_done_callback(partial(publish, picture))
    settle(submit.futures.pop(), outcome)
    del picture
    gc.collect()
    assert kept() is None
    cached = cache.get_or_submit("door/1", 1, submit)
    assert (cached.exception() or cached.result()) is outcome


def settle(reply: Future[Reply], outcome: Reply | NoFace) -> None:
    if isinstance(outcome, NoFace):
        reply.set_exception(outcome)
    else:
        reply.set_result(outcome)
