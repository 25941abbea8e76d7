"""The replies to the requests of the last minute: a repeated request gets the same reply, and is computed once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.errors import TEMPORARY_CODES, Conflict, GatewayError
from gateway.model import Detection, Enrolment, Face, Recognition, Reply

MAX_CACHED_REPLIES = 1000

# A point takes about 120 bytes. The meshes of 32 faces would take 2 MB in each of the replies.
MAX_CACHED_POINTS = 500
"""The most landmarks of a reply that is kept: one face with its mesh, or seven faces with 68 points."""

# The time for which a request is valid (limits.request_s). An enrolment is remembered for longer, by the store.
CACHED_S = 60.0


@dataclass(frozen=True, slots=True)
class _CachedReply:
    """``content``: the hash of the request's content. ``removals``: the number of them before it was submitted."""

    content: int
    removals: int
    reply: Future[Reply]
    cached_at: float = field(default_factory=time.monotonic)


class ReplyCache:
    """Replies by the key of their request, in memory. Safe to use from any thread.

    ``count_removals``: returns a number that grows when a person was removed. Earlier replies may name the person.
    """

    # A reply that changes nothing can be computed again after a restart. Writing it to a file would wear out a memory
    # card.

    def __init__(self, count_removals: Callable[[], int] = lambda: 0) -> None:
        self._count_removals = count_removals
        self._lock = threading.Lock()
        self._replies: OrderedDict[str, _CachedReply] = OrderedDict()

    def get_or_submit(self, key: str, content: Hashable, submit: Callable[[], Future[Reply]]) -> Future[Reply]:
        """Return the reply to the request with that key, which ``submit`` computes if it is not cached.

        ``content``: all that the reply depends on. Raises Conflict if the key belongs to a request with another
        content, and whatever ``submit`` raises.
        """
        with self._lock:
            self._drop_old()
            removals = self._count_removals()
            known = self._replies.get(key)
            # A reply that is still computed has not been judged by an earlier gallery only: it is not computed twice.
            if known is not None and known.reply.done() and known.removals != removals:
                known = None
        # Only the hash of the content is kept: most of it is a picture. It is computed only if there is something to
        # compare or to keep.
        if known is not None:
            if known.content != hash(content):
                raise Conflict(
                    f"the id of this request ({key}) belongs to a request with another content: give every request an"
                    " id of its own"
                )
            return known.reply
        reply = submit()
        cached = _CachedReply(hash(content), removals, reply)
        with self._lock:
            self._replies[key] = cached
        reply.add_done_callback(partial(self._keep_or_drop, key))
        return reply

    def _drop_old(self) -> None:
        # A reply that is still computed is never dropped: a repeat would be computed beside it.
        oldest_allowed = time.monotonic() - CACHED_S
        surplus = len(self._replies) - MAX_CACHED_REPLIES + 1
        for key, each in list(self._replies.items()):
            if each.cached_at > oldest_allowed and surplus <= 0:
                return
            if each.reply.done():
                del self._replies[key]
                surplus -= 1

    def _keep_or_drop(self, key: str, reply: Future[Reply]) -> None:
        with self._lock:
            known = self._replies.pop(key, None)
            if known is not None and _is_worth_keeping(reply):
                self._replies[key] = replace(known, reply=_copy_result(reply))


def _copy_result(reply: Future[Reply]) -> Future[Reply]:
    """Return a future with the same result and nothing else."""
    # A future keeps its callbacks, and these keep the pictures of the request.
    copy: Future[Reply] = Future()
    error = reply.exception()
    if error is None:
        copy.set_result(reply.result())
    else:
        error.__context__ = error.__cause__ = error.__traceback__ = None
        copy.set_exception(error)
    return copy


def _is_worth_keeping(reply: Future[Reply]) -> bool:
    """Return False for an error that may not occur again, and for a large reply: with a picture or many landmarks."""
    if reply.cancelled():
        return False
    error = reply.exception()
    if error is not None:
        return isinstance(error, GatewayError) and error.code not in TEMPORARY_CODES
    result = reply.result()
    if isinstance(result, Enrolment):
        return True
    has_picture = isinstance(result, Recognition | Detection) and result.annotated is not None
    return not has_picture and _count_points(result.faces) <= MAX_CACHED_POINTS


def _count_points(faces: Iterable[Face]) -> int:
    return sum(len(points) for face in faces for points in (face.landmarks or {}).values())
