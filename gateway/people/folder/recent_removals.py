"""People who were removed with their folders a short time ago: several small removals count as one large removal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

RECENT_WINDOW_S = 600.0
"""Time in which removals count as one. A copying tool and a failing memory card delete one folder after another."""


class RecentRemovals:
    """People removed with their folders within the last ``RECENT_WINDOW_S`` seconds, and not enrolled since.

    Nothing is stored: after a restart there are none.
    """

    def __init__(self, is_enrolled: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        """``is_enrolled`` returns whether a person with this id is enrolled now."""
        self._is_enrolled = is_enrolled
        self._clock = clock
        self._removed_at: dict[str, float] = {}

    def add(self, ids: Iterable[str]) -> None:
        """Add people who were removed now, by id."""
        self._removed_at.update(dict.fromkeys(ids, self._clock()))

    def count(self) -> int:
        """Return the number of these people."""
        oldest = self._clock() - RECENT_WINDOW_S
        self._removed_at = {
            each: at for each, at in self._removed_at.items() if at > oldest and not self._is_enrolled(each)
        }
        return len(self._removed_at)
