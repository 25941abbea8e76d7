"""Rules for unknown groups: how many are kept, and for how long."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from gateway.errors import TooLarge
from gateway.store.records import UnknownGroup

DAY_S = 86_400

MAX_NAMED_IDS = 10
"""Ids that one warning names."""


@dataclass(frozen=True, slots=True)
class IgnoredRules:
    """Rules for ignored groups. ``most``: their largest number; ``keep_days``: the time after the last visit."""

    most: int = 1_000
    keep_days: float = 90

    def check(self, others: int) -> None:
        """Raise TooLarge if so many other groups are ignored that one more would exceed the limit."""
        if others >= self.most:
            raise TooLarge(
                f"{others} strangers are ignored already, and ignored.most allows no more: run `facegate unknowns"
                " unignore ID` for some of them, or raise ignored.most"
            )


@dataclass(frozen=True, slots=True)
class UnknownRules:
    """Rules for groups of unknown faces.

    ``max_groups``: without the ignored ones; 0 keeps no groups at all. ``keep_days``: the time after the last visit.
    """

    max_groups: int
    keep_days: float
    ignored: IgnoredRules = field(default_factory=IgnoredRules)

    def expired_before(self, *, ignored: bool = False) -> float:
        """Return the moment before which an expired group was last seen, in seconds since 1970."""
        return time.time() - DAY_S * (self.ignored.keep_days if ignored else self.keep_days)

    def choose_kept(self, groups: Sequence[UnknownGroup]) -> list[UnknownGroup]:
        """Return the groups that are not expired, within the limit. ``groups``: by the last sighting, newest first."""
        recent = [group for group in groups if group.last > self.expired_before(ignored=group.ignored)]
        ignored = [group for group in recent if group.ignored]
        return [*share_fairly([group for group in recent if not group.ignored], self.max_groups), *ignored]


def share_fairly(groups: Sequence[UnknownGroup], max_groups: int) -> list[UnknownGroup]:
    """Return at most ``max_groups`` of the groups, which are ordered by their last sighting, newest first."""
    # The camera with the most groups loses its oldest group: no camera can displace the groups of the others.
    by_camera: dict[str, list[UnknownGroup]] = {}
    for group in groups:
        by_camera.setdefault(group.source, []).append(group)
    for _ in range(len(groups) - max_groups):
        fullest = max(by_camera.values(), key=lambda each: (len(each), -each[-1].last))
        fullest.pop()
    return [group for each in by_camera.values() for group in each]


def damage_warnings(damaged: Collection[int]) -> tuple[str, ...]:
    """Return a sentence about groups that cannot be read, if there are any. ``damaged``: their ids."""
    if not damaged:
        return ()
    ids = ", ".join(map(str, sorted(damaged)[:MAX_NAMED_IDS])) + (", ..." if len(damaged) > MAX_NAMED_IDS else "")
    return (
        f"{len(damaged)} groups of unknown faces are damaged and left out ({ids}): delete them with"
        " `facegate unknowns forget ID`, or wait until they expire",
    )
