"""A guard that delays the removal of many people until a person confirms it.

People from the folder of known people are removed when their pictures vanish from it. If very many vanish at once, the
disk of the folder may only be unmounted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection

from gateway.store.protocols import Notes
from gateway.store.records import Loss

HELD_NOTE, CONFIRMED_NOTE = "held_removal", "confirmed_removal"
"""Names of the notes in the store that the gateway and the command ``people confirm-removal`` exchange."""

# Long enough to start a gateway that is down, short enough not to confirm the effect of a later fault.
CONFIRMATION_LIFETIME_S = 3600.0


class RemovalGuard:
    """Delays the removal of many people until it is confirmed."""

    # The notes contain keys and no names, so that they say nothing about people after their removal.

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._held: Loss | None = None

    def allows(self, loss: Loss, *, suspicious: bool, recent: int = 0) -> bool:
        """Return whether these people may lose their pictures now; otherwise note that their removal is held back.

        ``suspicious``: the folder itself looks broken, so that nobody may lose a picture without a confirmation.
        ``recent``: the number of people whose removal from the folder was allowed shortly before.
        """
        if self.is_confirmed_for(loss) or not (suspicious or _is_many(loss, recent) or self._is_held(loss)):
            return True
        held = json.dumps(sorted(loss.affected))
        if self._notes.read_note(HELD_NOTE) != held:
            self._notes.write_note(HELD_NOTE, held)
        self._held = loss
        return False

    def release(self) -> None:
        """Delete the notes: the removal is done, or the pictures are back."""
        self._held = None
        for name in (HELD_NOTE, CONFIRMED_NOTE):
            if self._notes.read_note(name) is not None:
                self._notes.write_note(name, None)

    @property
    def held(self) -> Loss | None:
        """The loss that is held back, if any."""
        return self._held

    @property
    def is_confirmed(self) -> bool:
        """True if the loss that is held back was confirmed since."""
        return self._held is not None and self.is_confirmed_for(self._held)

    def is_confirmed_for(self, loss: Loss) -> bool:
        """Return whether the removal of all these people was confirmed."""
        return loss.affected <= self._confirmed()

    def _is_held(self, loss: Loss) -> bool:
        """Return whether this removal was held back before, and none of its pictures came back."""
        # Without this rule the people would be removed, without a confirmation, as soon as ``recent`` falls.
        held = held_removal(self._notes)
        return bool(held) and held <= loss.affected

    def _confirmed(self) -> frozenset[int]:
        note = json.loads(self._notes.read_note(CONFIRMED_NOTE) or "{}")
        return frozenset(note["people"]) if note.get("until", 0) > time.time() else frozenset()


def _is_many(loss: Loss, recent: int) -> bool:
    """Return whether the folder loses more than half of its people, those of recent removals included."""
    return bool(loss.removed) and 2 * (len(loss.removed) + recent) > loss.total + recent


def held_removal(notes: Notes) -> frozenset[int]:
    """Return the keys of the people whose removal needs a confirmation."""
    return frozenset(json.loads(notes.read_note(HELD_NOTE) or "[]"))


def confirm_removal(notes: Notes, keys: Collection[int]) -> None:
    """Confirm the removal of these people for a gateway that uses this store within CONFIRMATION_LIFETIME_S."""
    note = {"people": sorted(keys), "until": time.time() + CONFIRMATION_LIFETIME_S}
    notes.write_note(CONFIRMED_NOTE, json.dumps(note))
