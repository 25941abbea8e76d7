"""The effects of requests: each change is made once, and stored together with its reply."""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Callable

from gateway.errors import Conflict, Timeout
from gateway.model import Effect
from gateway.store.limits import MAX_EFFECTS
from gateway.store.records import EffectReply
from gateway.store.relational.database import Database

log = logging.getLogger(__name__)

_FIND = "SELECT digest, reply, at FROM effects WHERE key = ?"
_ADD = "INSERT INTO effects (key, digest, person, reply, at) VALUES (?, ?, ?, ?, ?)"


class RelationalEffects:
    """The table of effects, as store.protocols.Effects describes it."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._secret = secret

    def apply_once(self, effect: Effect, change: Callable[[], EffectReply]) -> EffectReply | None:
        digest = self._digest(effect)
        # A repetition waits for no other change: devices repeat most while changes are slow.
        done = self._database.row(_FIND, (effect.key,))
        if done is None:
            with self._database.transaction() as db:
                done = db.execute(_FIND, (effect.key,)).fetchone()
                if done is None:
                    reply = _apply_in_time(effect, change)
                    person, text = reply.get("person"), _write_reply(reply)
                    exists = person and db.execute("SELECT 1 FROM people WHERE slug = ?", (person,)).fetchone()
                    # No name of a removed person may stay here.
                    stored = (person, text) if exists or not person else (None, None)
                    db.execute(_ADD, (effect.key, digest, *stored, time.time()))
                    return reply
        if done[0] != digest:
            raise _other_request_error(effect, done[2])
        return _read_reply(effect, done[1])

    def was_applied(self, effect: Effect) -> bool:
        done = self._database.row("SELECT digest FROM effects WHERE key = ?", (effect.key,))
        return done is not None and done[0] == self._digest(effect)

    def replace_reply(self, effect: Effect, reply: EffectReply, replacement: EffectReply) -> EffectReply | None:
        with self._database.transaction() as db:
            db.execute(
                "UPDATE effects SET reply = ? WHERE key = ? AND reply = ?",
                (_write_reply(replacement), effect.key, _write_reply(reply)),
            )
            stored = db.execute("SELECT reply FROM effects WHERE key = ?", (effect.key,)).fetchone()
        return _read_reply(effect, stored[0]) if stored is not None else None

    def is_in_change(self) -> bool:
        return self._database.in_transaction

    def delete_effects(self, before: float, most: int = MAX_EFFECTS) -> None:
        # The oldest one over the limit, if there are so many.
        surplus = self._database.row("SELECT at FROM effects ORDER BY at DESC LIMIT 1 OFFSET ?", (most,))
        moments = before, -1.0 if surplus is None else surplus[0]
        # A transaction without a change would write to flash memory for nothing.
        if self._database.row("SELECT 1 FROM effects WHERE at < ? OR at <= ?", moments):
            with self._database.transaction() as db:
                db.execute("DELETE FROM effects WHERE at < ? OR at <= ?", moments)

    def _digest(self, effect: Effect) -> bytes:
        return hmac.digest(self._secret, effect.digest, "sha256")


def _other_request_error(effect: Effect, at: float) -> Conflict:
    """Return the error for a request with the id of another one, which was made at ``at``."""
    # Only the digest of the other request is stored, so nobody knows in which field it differs.
    return Conflict(
        f"{effect.id_text} was used {max(0, round(time.time() - at))} s ago for another change than this"
        f" {effect.operation}: a repetition must have the same operation, fields and files. Give a new change an id of"
        " its own"
    )


def _write_reply(reply: EffectReply) -> str:
    # The text of a reply that was read is the text that was stored: replace_reply compares the two.
    return json.dumps(reply, ensure_ascii=False)


def _read_reply(effect: Effect, reply: str | None) -> EffectReply | None:
    """Return the stored reply, None if its person was removed or the reply is damaged."""
    try:
        return None if reply is None else dict(json.loads(reply))
    except (ValueError, TypeError, RecursionError):
        log.warning("the stored reply to %s is damaged: the request was done, and is not done again", effect.key)
        return None


def _apply_in_time(effect: Effect, change: Callable[[], EffectReply]) -> EffectReply:
    """Return the reply of the change. Raise Timeout after the deadline, which undoes the change."""
    reply = change() if time.monotonic() < effect.deadline else {}
    if time.monotonic() > effect.deadline or not effect.claim():
        raise Timeout("the change took longer than allowed, and nothing was changed: send the request again")
    return reply
