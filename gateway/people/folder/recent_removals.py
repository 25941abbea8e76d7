"""People whom the folder removed a short time ago: several small removals count as one large removal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

RECENT_WINDOW_S = 600.0
"""Removals within so many seconds count as one: a copying tool and a failing card delete one folder after another."""


class RecentRemovals:
    """The people, by id, whom the folder removed within the last ``WINDOW_S`` seconds and who did not come back.

    ``is_known`` returns whether a person with this id is known now. Nothing is stored: a restart forgets these people.
    """

    def __init__(self, is_known: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._is_known = is_known
        self._clock = clock
        self._removed_at: dict[str, float] = {}

    def add(self, ids: Iterable[str]) -> None:
        self._removed_at.update(dict.fromkeys(ids, self._clock()))

    def count(self) -> int:
        oldest = self._clock() - RECENT_WINDOW_S
        self._removed_at = {
            each: at for each, at in self._removed_at.items() if at > oldest and not self._is_known(each)
        }
        return len(self._removed_at)
