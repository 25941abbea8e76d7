"""Many people are removed with their pictures in a folder only if somebody confirms it: a mount may be missing."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

HELD, CONFIRMED = "held_removal", "confirmed_removal"
"""Names of the store's notes by which the gateway and the command ``people confirm-removal`` talk to each other."""

CONFIRMATION_S = 3600.0
"""How long a confirmation holds: a gateway that is down may start within it, and no later fault is covered by it."""


@dataclass(frozen=True, slots=True)
class Loss:
    """People whose pictures are not in the folder any more, by the store's keys. ``affected``: those who lose a
    picture; ``removed``: those of them who would be left with none; ``total``: how many people came from the folder.
    """

    affected: frozenset[int]
    removed: frozenset[int]
    total: int


class Notes(Protocol):
    """The part of a PeopleStore in which the guard keeps its notes."""

    def read_note(self, name: str) -> str | None: ...

    def write_note(self, name: str, value: str | None) -> None: ...


class RemovalGuard:
    """Holds a removal back until it is confirmed. Keys tell nothing of people who are removed later."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._held: Loss | None = None

    def allows(self, loss: Loss, *, suspicious: bool, recent: int = 0) -> bool:
        """Return whether these people may lose their pictures, else hold that back.

        ``suspicious``: something is wrong with the folder itself, so that not even one of them may; ``recent``: how
        many people the folder removed a short time ago.
        """
        if self.is_confirmed_for(loss) or not (suspicious or _is_many(loss, recent) or self._still_waits(loss)):
            return True
        held = json.dumps(sorted(loss.affected))
        if self._notes.read_note(HELD) != held:
            self._notes.write_note(HELD, held)
        self._held = loss
        return False

    def release(self) -> None:
        """Forget what was held back: it is done, or the pictures are back."""
        self._held = None
        for name in (HELD, CONFIRMED):
            if self._notes.read_note(name) is not None:
                self._notes.write_note(name, None)

    @property
    def held(self) -> Loss | None:
        return self._held

    @property
    def is_confirmed(self) -> bool:
        """Return whether what is held back was confirmed meanwhile."""
        return self._held is not None and self.is_confirmed_for(self._held)

    def is_confirmed_for(self, loss: Loss) -> bool:
        """Return whether the removal of all these people was confirmed."""
        return loss.affected <= self._confirmed()

    def _still_waits(self, loss: Loss) -> bool:
        """Return whether a removal was held back, perhaps before a restart, and none of its pictures is back.

        Time alone must not remove these people: without this rule they would go as soon as ``recent`` falls.
        """
        held = held_removal(self._notes)
        return bool(held) and held <= loss.affected

    def _confirmed(self) -> frozenset[int]:
        note = json.loads(self._notes.read_note(CONFIRMED) or "{}")
        return frozenset(note["people"]) if note.get("until", 0) > time.time() else frozenset()


def _is_many(loss: Loss, recent: int) -> bool:
    """Return whether more than half of the people are removed whom the folder had before the recent removals."""
    return bool(loss.removed) and 2 * (len(loss.removed) + recent) > loss.total + recent


def held_removal(notes: Notes) -> frozenset[int]:
    """Return the keys of the people whose removal waits for a confirmation."""
    return frozenset(json.loads(notes.read_note(HELD) or "[]"))


def confirm_removal(notes: Notes, keys: Collection[int]) -> None:
    """Let a gateway that runs on this store, or starts on it within CONFIRMATION_S, remove these people."""
    note = {"people": sorted(keys), "until": time.time() + CONFIRMATION_S}
    notes.write_note(CONFIRMED, json.dumps(note))
