"""Futures that follow one another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def then(first: Future[T], function: Callable[[T], U]) -> Future[U]:
    """The future of ``function`` of its result; its exception and cancellation are passed on."""
    second: Future[U] = Future()
    first.add_done_callback(lambda done: _settle(second, done, function))
    return second


def flat(first: Future[Future[T]]) -> Future[T]:
    """The future of what the future within that future will give."""
    last: Future[T] = Future()

    def unwrap(done: Future[Future[T]]) -> None:
        if done.cancelled() or done.exception():
            _settle(last, done, Future.result)
        else:
            done.result().add_done_callback(lambda inner: _settle(last, inner, lambda value: value))

    first.add_done_callback(unwrap)
    return last


def _settle(future: Future[U], done: Future[T], function: Callable[[T], U]) -> None:
    if done.cancelled():
        future.cancel()
        return
    try:
        future.set_result(function(done.result()))
    except Exception as error:  # into the future with it, whatever it is: the door answers
        future.set_exception(error)
