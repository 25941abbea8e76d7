"""The check of the backups: their age, the disk that they are on, and whether an erasure can rewrite them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from gateway.cli.checkup.finding import Finding, from_warnings
from gateway.cli.output import count, format_minute
from gateway.config.sections import BackupSettings
from gateway.store.protocols import Store
from gateway.store.records import BackupState

DAY_S = 86_400

HOURS_PER_DAY = 24

MAX_DAYS_BY_HAND = 30
"""Days with a change that is in no backup, after which the doctor asks for one, if the gateway makes none itself."""

MAX_MISSED_BACKUPS = 3
"""Backups of the gateway's own that may be missing before the doctor asks for one."""

MAX_DAYS_ELSEWHERE = 30
"""Days after which the doctor advises another backup on another disk."""


def check_backups(store: Store, settings: BackupSettings) -> Iterator[Finding]:
    """Check that people are in a backup, on another disk too, and that an erasure can rewrite the backups."""
    yield from from_warnings("backups", (*store.backups.warnings, *store.backups.skipped_warnings()))
    if store.backups.made_elsewhere is not None:
        yield Finding("backups", "ok", store.backups.made_elsewhere)
        return
    people, state = len(store.people.list_unchanged_since(math.inf)), store.backups.read_state()
    yield _check_age(people, state, settings)
    if not settings.every_h:
        text = "the gateway makes no backups by itself: set backups.every_h to 24"
        yield Finding("backups", "advice", text)
    if not people:
        return
    # Facegate cannot know whether two disks are in one box. The owner of the machine knows, if the folder is named.
    if state.elsewhere and state.elsewhere_at is not None and _is_recent(state.elsewhere_at, MAX_DAYS_ELSEWHERE):
        text = f"the last backup on another disk was made on {format_minute(state.elsewhere_at)}, in {state.elsewhere}"
        yield Finding("backups", "ok", text)
    else:
        text = (
            f"no backup on another disk was made in the last {MAX_DAYS_ELSEWHERE} days: a broken disk takes the backups"
            " in data/backups with it; make one there, unless another program copies that folder"
        )
        yield Finding("backups", "advice", text, "facegate backup /mnt/usb/people.sqlite")


def _check_age(people: int, state: BackupState, settings: BackupSettings) -> Finding:
    if not people:
        return Finding("backups", "ok", "nobody is enrolled")
    if state.at is None:
        return Finding("backups", "to_do", f"{count(people, 'person', 'people')}, and no backup", "facegate backup")
    made = format_minute(state.at)
    max_days = settings.every_h * MAX_MISSED_BACKUPS / HOURS_PER_DAY if settings.every_h else MAX_DAYS_BY_HAND
    if state.changed and not _is_recent(state.at, max_days):
        age = "in the future" if state.at > time.time() else f"more than {max_days:g} days ago"
        text = f"people were changed, and the last backup was made on {made}, {age}"
        return Finding("backups", "to_do", text, "facegate backup")
    since = "people were changed since" if state.changed else "nobody was changed since"
    return Finding("backups", "ok", f"the last backup was made on {made}, {since}")


def _is_recent(at: float | None, days: float) -> bool:
    # A time in the future is of a clock that was wrong.
    return at is not None and 0 <= time.time() - at <= days * DAY_S
