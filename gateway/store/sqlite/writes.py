"""The single steps of which the store's changes are made, each within a transaction."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence

from slugify import slugify

from gateway.errors import UnknownPerson
from gateway.model import Person
from gateway.model.caller import Caller
from gateway.model.names import MAX_ID, RESERVED_IDS, check_new_name, name_key
from gateway.store.records import PICTURE_ID_DIGITS, PersonEntry, PictureEntry
from gateway.store.sqlite.database import Row

MAX_STEM = 48
"""Characters of an id before its number."""

REMEMBERED = 100_000
"""Revisions, for which other processes can still be told who is gone."""


def unknown_person_error(slug: str) -> UnknownPerson:
    return UnknownPerson(f"nobody with the id {slug!r} is known")


def to_entry(rows: Sequence[Row]) -> PersonEntry:
    """Of (slug, name, created, digest, source, created, counter), one for each picture."""
    slug, name, added, *_ = rows[0]
    pictures = [PictureEntry(row[3][:PICTURE_ID_DIGITS], row[4], row[5], bool(row[6])) for row in rows if row[3]]
    return PersonEntry(Person(slug, name), added, tuple(pictures))


def person_key(db: sqlite3.Connection, slug: str) -> int:
    """Raises UnknownPerson."""
    row = db.execute("SELECT id FROM people WHERE slug = ?", (slug,)).fetchone()
    if row is None:
        raise unknown_person_error(slug)
    return int(row[0])


def find_person_row(db: sqlite3.Connection, name: str) -> Row | None:
    """Return (key, slug, name) of the person with that name, in this spelling or else in another one (name_key)."""
    row: Row | None = db.execute(
        "SELECT id, slug, name FROM people WHERE name_key = ? ORDER BY name = ? DESC, id LIMIT 1",
        (name_key(name), name),
    ).fetchone()
    return row


def get_or_create_person(db: sqlite3.Connection, name: str) -> int:
    """Return the key of the person with that name. Raises BadRequest for a name that a new person must not get."""
    if (row := find_person_row(db, name)) is not None:
        return int(row[0])
    check_new_name(name)
    row = db.execute(
        "INSERT INTO people (slug, name, name_key, created, changed, revision) VALUES (?, ?, ?, ?, 0, 0) RETURNING id",
        (free_slug(db, name), name, name_key(name), time.time()),
    ).fetchone()
    return int(row[0])


def count_people(db: sqlite3.Connection) -> int:
    (count,) = db.execute("SELECT count(*) FROM people").fetchone()
    return int(count)


def picture_digests(db: sqlite3.Connection, person: int) -> set[str]:
    """Of all their pictures, counter-examples too."""
    return {digest for (digest,) in db.execute("SELECT digest FROM pictures WHERE person = ?", (person,))}


def bump_revision(db: sqlite3.Connection, person: int) -> None:
    """Something of them is not what it was; other processes see it by the revision."""
    db.execute("UPDATE people SET revision = ? WHERE id = ?", (_next(db), person))


def mark_changed(db: sqlite3.Connection, person: int) -> None:
    """A picture came or went."""
    bump_revision(db, person)
    db.execute("UPDATE people SET changed = ? WHERE id = ?", (time.time(), person))


def delete_person(db: sqlite3.Connection, person: int) -> None:
    """With every answer that names them, be it in a warning to somebody else."""
    revision = _next(db)
    slug, name = db.execute("SELECT slug, name FROM people WHERE id = ?", (person,)).fetchone()
    db.execute(
        "UPDATE effects SET person = NULL, reply = NULL WHERE person = ?1 OR instr(reply, ?1) OR instr(reply, ?2)",
        (slug, json.dumps(name, ensure_ascii=False)[1:-1]),
    )
    db.execute("DELETE FROM people WHERE id = ?", (person,))
    db.execute("INSERT INTO gone VALUES (?, ?)", (person, revision))
    db.execute("DELETE FROM gone WHERE revision < ?", (revision - REMEMBERED,))


def delete_if_empty(db: sqlite3.Connection, person: int) -> bool:
    """Whether a picture that shows them is left, and so they stay."""
    left = db.execute("SELECT 1 FROM pictures WHERE person = ? AND NOT counter", (person,)).fetchone() is not None
    if left:
        mark_changed(db, person)
    else:
        delete_person(db, person)
    return left


def append_person_audit(db: sqlite3.Connection, caller: Caller, action: str, person: int, pictures: int) -> None:
    """Add a line about a person to the audit's outbox."""
    (uid,) = db.execute("SELECT uid FROM people WHERE id = ?", (person,)).fetchone()
    append_audit(db, caller, action, uid, pictures)


def append_audit(
    db: sqlite3.Connection, caller: Caller, action: str, uid: str = "", pictures: int = 0, detail: str = ""
) -> None:
    """Add a line to the audit's outbox; ``uid``: the random id of a person, empty for nobody or everybody."""
    line = secrets.token_hex(16)
    db.execute(
        "INSERT INTO outbox (uid, at, door, action, person, pictures, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (line, time.time(), caller.audit_text(), action, uid, pictures, detail),
    )


def _next(db: sqlite3.Connection) -> int:
    (revision,) = db.execute(
        "UPDATE meta SET value = value + 1 WHERE key = 'revision' RETURNING CAST(value AS INTEGER)"
    ).fetchone()
    return int(revision)


def free_slug(db: sqlite3.Connection, name: str) -> str:
    """Return an id in ASCII for a name in any script; a name without letters gets one from its digest."""
    stem = slugify(name, separator="_", max_length=MAX_STEM) or hashlib.sha256(name.encode()).hexdigest()[:8]
    if stem not in RESERVED_IDS and not _is_taken(db, stem):
        return stem
    return _numbered(stem, _free_number(lambda number: _is_taken(db, _numbered(stem, number))))


def _free_number(is_taken: Callable[[int], bool]) -> int:
    """Return a free number from 2 on, the next one where those before are taken, after a logarithm of questions."""
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


def _is_taken(db: sqlite3.Connection, slug: str) -> bool:
    return db.execute("SELECT 1 FROM people WHERE slug = ?", (slug,)).fetchone() is not None
