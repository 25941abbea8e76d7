"""Whoever asks the same again gets the same answer, and costs nothing."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.errors import TEMPORARY_CODES, Conflict, GatewayError
from gateway.model import Detection, Recognition, Reply

MAX_CACHED_REPLIES = 1000
CACHED_S = 60.0
"""As long as a request is good for. What changes something is known for longer, in the store."""


@dataclass(frozen=True, slots=True)
class _Asked:
    asked: int
    reply: Future[Reply]
    at: float = field(default_factory=time.monotonic)


class ReplyCache:
    """In memory: what only asks can be computed again, and writing it down would wear out a memory card."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, _Asked] = OrderedDict()

    def ask(self, key: str, asked: Hashable, submit: Callable[[], Future[Reply]]) -> Future[Reply]:
        """The reply to what was asked by that key. Raises Conflict if that was something else.

        What was asked is hashed only where it has to be, and only the hash is kept: most of it is a picture.
        """
        with self._lock:
            self._forget()
            known = self._asked.get(key)
        if known is not None:
            if known.asked != hash(asked):
                raise Conflict(f"something else was asked for as {key}: every request needs an id of its own")
            return known.reply
        reply = submit()
        now = _Asked(hash(asked), reply)
        with self._lock:
            self._asked[key] = now
        reply.add_done_callback(partial(self._done, key))
        return reply

    def _forget(self) -> None:
        """The oldest, where they are answered."""
        long_ago = time.monotonic() - CACHED_S
        while self._asked:
            oldest = next(iter(self._asked.values()))
            if not oldest.reply.done() or (oldest.at > long_ago and len(self._asked) < MAX_CACHED_REPLIES):
                return
            self._asked.popitem(last=False)

    def _done(self, key: str, reply: Future[Reply]) -> None:
        with self._lock:
            known = self._asked.pop(key, None)
            if known is not None and not _passing(reply):
                self._asked[key] = replace(known, reply=_bare(reply))


def _bare(reply: Future[Reply]) -> Future[Reply]:
    """The answer and nothing else: a future keeps its callbacks, and they the pictures that were asked about."""
    bare: Future[Reply] = Future()
    error = reply.exception()
    if error is None:
        bare.set_result(reply.result())
    else:
        error.__context__ = error.__cause__ = error.__traceback__ = None
        bare.set_exception(error)
    return bare


def _passing(reply: Future[Reply]) -> bool:
    """What says nothing of what was asked, or is so large that it is rather computed again."""
    if reply.cancelled():
        return True
    error = reply.exception()
    if error is not None:
        return not isinstance(error, GatewayError) or error.code in TEMPORARY_CODES
    result = reply.result()
    return isinstance(result, Recognition | Detection) and result.annotated is not None
