"""The protocol of the changes that requests with an id have made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway.model import Effect
from gateway.store.limits import MAX_EFFECTS
from gateway.store.records import EffectReply


class Effects(Protocol):
    """The changes that were made for requests with an id, so that no request changes something twice."""

    def apply_once(self, effect: Effect, change: Callable[[], EffectReply]) -> EffectReply | None:
        """Call ``change`` and return its reply, or return the stored reply if this effect was applied before.

        Return None if the stored reply was about a person who was removed since, or by the change. All changes that
        ``change`` makes in this store, and its reply, are on the disk together or not at all. Raise Conflict if another
        request used the same key, and Timeout if the deadline has passed.
        """

    def was_applied(self, effect: Effect) -> bool:
        """Return whether this effect was applied before, also after its deadline."""

    def replace_reply(self, effect: Effect, reply: EffectReply, replacement: EffectReply) -> EffectReply | None:
        """Replace the stored reply of an effect, if it still is ``reply``, and return the stored reply.

        Return None if there is none, as ``apply_once`` does.
        """

    def is_in_change(self) -> bool:
        """Return whether this thread is within ``apply_once``."""

    def delete_effects(self, before: float, most: int = MAX_EFFECTS) -> None:
        """Delete effects from before a moment, in seconds since 1970, and the oldest ones if there are too many."""
