"""The replies to the requests of the last minute: a repeated request gets the same reply, and is computed once."""

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

# The time for which a request is valid (limits.request_s). An enrolment is remembered for longer, by the store.
CACHED_S = 60.0


@dataclass(frozen=True, slots=True)
class _CachedReply:
    """``content``: the hash of the request's content."""

    content: int
    reply: Future[Reply]
    cached_at: float = field(default_factory=time.monotonic)


class ReplyCache:
    """Replies by the key of their request, in memory. Safe to use from any thread."""

    # A reply that changes nothing can be computed again after a restart. Writing it to a file would wear out a memory
    # card.

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replies: OrderedDict[str, _CachedReply] = OrderedDict()

    def get_or_submit(self, key: str, content: Hashable, submit: Callable[[], Future[Reply]]) -> Future[Reply]:
        """Return the reply to the request with that key, which ``submit`` computes if it is not cached.

        ``content``: all that the reply depends on. Raises Conflict if the key belongs to a request with another
        content, and whatever ``submit`` raises.
        """
        with self._lock:
            self._drop_old()
            known = self._replies.get(key)
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
        cached = _CachedReply(hash(content), reply)
        with self._lock:
            self._replies[key] = cached
        reply.add_done_callback(partial(self._keep_or_drop, key))
        return reply

    def _drop_old(self) -> None:
        # A reply that is still computed is never dropped: a repeat would be computed beside it.
        oldest_allowed = time.monotonic() - CACHED_S
        while self._replies:
            oldest = next(iter(self._replies.values()))
            recent = oldest.cached_at > oldest_allowed and len(self._replies) < MAX_CACHED_REPLIES
            if recent or not oldest.reply.done():
                return
            self._replies.popitem(last=False)

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
    """Return False for an error that may not occur again, and for a reply with a picture, since pictures are large."""
    if reply.cancelled():
        return False
    error = reply.exception()
    if error is not None:
        return isinstance(error, GatewayError) and error.code not in TEMPORARY_CODES
    result = reply.result()
    return not isinstance(result, Recognition | Detection) or result.annotated is None
