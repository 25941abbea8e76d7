"""The ids of new people, made from their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection

from slugify import slugify

from gateway.model.names import MAX_ID, RESERVED_IDS
from gateway.store.relational.database import Connection

MAX_STEM = 48
"""The number of characters of an id before its number."""


def slug_stem(name: str) -> str:
    """Return an id in ASCII for a name in any script. A name without letters gets an id from its digest."""
    return slugify(name, separator="_", max_length=MAX_STEM) or hashlib.sha256(name.encode()).hexdigest()[:8]


def free_slug(db: Connection, name: str, also_taken: Collection[str] = ()) -> str:
    """Return a free id for a name: its stem, or else the stem with a number.

    ``also_taken``: the ids of people who are created at the same time.
    """

    def is_taken(slug: str) -> bool:
        return slug in also_taken or _is_taken(db, slug)

    stem = slug_stem(name)
    if stem not in RESERVED_IDS and not is_taken(stem):
        return stem
    return _numbered(stem, _free_number(lambda number: is_taken(_numbered(stem, number))))


def _free_number(is_taken: Callable[[int], bool]) -> int:
    """Return a free number from 2 on, with a logarithmic number of calls. All smaller numbers are taken."""
    taken, free = 1, 2
    while is_taken(free):
        taken, free = free, 2 * free
    while free - taken > 1:
        middle = (taken + free) // 2
        taken, free = (middle, free) if is_taken(middle) else (taken, middle)
    return free


def _numbered(stem: str, number: int) -> str:
    suffix = f"_{number}"
    return stem[: MAX_ID - len(suffix)].rstrip("_") + suffix


def _is_taken(db: Connection, slug: str) -> bool:
    return db.execute("SELECT 1 FROM people WHERE slug = ?", (slug,)).fetchone() is not None
