"""Functions that derive one future from another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
U = TypeVar("U")


def then(first: Future[T], function: Callable[[T], U]) -> Future[U]:
    """Return the future of ``function(result)``. The exception or cancellation of ``first`` is passed on."""
    second: Future[U] = Future()
    first.add_done_callback(lambda done: _settle(second, done, function))
    return second


def flatten(first: Future[Future[T]]) -> Future[T]:
    """Return a future of the inner future's result."""
    last: Future[T] = Future()

    def unwrap(done: Future[Future[T]]) -> None:
        if done.cancelled() or done.exception():
            _settle(last, done, Future.result)
        else:
            done.result().add_done_callback(lambda inner: _settle(last, inner, lambda value: value))

    first.add_done_callback(unwrap)
    return last


def recover(
    first: Future[T], errors: type[Exception] | tuple[type[Exception], ...], retry: Callable[[BaseException], Future[T]]
) -> Future[T]:
    """Return a future of the same result. After one of the errors it gets what the future of ``retry`` gets."""

    def choose(done: Future[T]) -> None:
        error = None if done.cancelled() else done.exception()
        if not isinstance(error, errors):
            _settle(chosen, done, lambda _: done)
            return
        try:
            chosen.set_result(retry(error))
        # The caller must learn of any exception.
        except Exception as failed:
            chosen.set_exception(failed)

    chosen: Future[Future[T]] = Future()
    first.add_done_callback(choose)
    return flatten(chosen)


def settle_by(future: Future[T], function: Callable[[], T]) -> None:
    """Set the result of a future by a function, or its exception."""
    try:
        future.set_result(function())
    # The caller must also learn of a bug in the gateway, and of SystemExit: it would wait for ever for a future that
    # is never set.
    except BaseException as error:
        future.set_exception(error)


def _settle(future: Future[U], done: Future[T], function: Callable[[T], U]) -> None:
    if done.cancelled():
        future.cancel()
        return
    try:
        future.set_result(function(done.result()))
    # Any exception, or the caller of the interface would never get an answer.
    except Exception as error:
        future.set_exception(error)
