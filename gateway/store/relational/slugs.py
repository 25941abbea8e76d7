"""The ids of new people, made from their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from slugify import slugify

from gateway.model.names import MAX_ID, RESERVED_IDS
from gateway.store.relational.database import Connection

MAX_STEM = 48
"""The number of characters of an id before its number."""


def free_slug(db: Connection, name: str) -> str:
    """Return a free id in ASCII for a name in any script. A name without letters gets an id from its digest."""
    stem = slugify(name, separator="_", max_length=MAX_STEM) or hashlib.sha256(name.encode()).hexdigest()[:8]
    if stem not in RESERVED_IDS and not _is_taken(db, stem):
        return stem
    return _numbered(stem, _free_number(lambda number: _is_taken(db, _numbered(stem, number))))


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
