"""The single steps of changes to people. Each runs within the transaction of its caller."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence

from gateway.errors import Busy, UnknownPerson
from gateway.model import Person
from gateway.model.caller import Caller
from gateway.model.names import check_new_name, name_key, unknown_person_error
from gateway.store.records import PICTURE_ID_DIGITS, PersonEntry, PictureEntry
from gateway.store.relational.audit_rows import make_row
from gateway.store.relational.database import Connection, Row
from gateway.store.relational.slugs import free_slug

MAX_WAITING_LINES = 100_000
"""Lines in the outbox, while the audit cannot be written, after which callers may change nothing: some 25 MB."""

OUTBOX_RETRY_S = 60
"""Seconds after which a caller may try again: a person has to mend the audit."""

# For so many revisions the keys of removed people are stored, so that other processes learn of the removals.
MAX_REVISIONS_OF_REMOVALS = 100_000

MAX_VALUES = 1_000
"""Values in one statement. SQLite takes 32,766 at most, PostgreSQL 65,535."""

UID_BYTES = 8
"""The length of the random id of a person."""

ADD_PERSON = """
INSERT INTO people (uid, slug, name, name_key, created, changed, revision) VALUES (?, ?, ?, ?, ?, 0, 0)
"""
ADD_PICTURE = """
INSERT INTO pictures (person, digest, source, recipe, descriptor, chips, original, created, counter)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (person, digest) DO UPDATE SET source = excluded.source, recipe = excluded.recipe,
    descriptor = excluded.descriptor, chips = excluded.chips, counter = excluded.counter
WHERE pictures.source != excluded.source OR pictures.recipe != excluded.recipe OR pictures.counter != excluded.counter
"""
_NEW_REVISIONS = """
UPDATE meta SET value = CAST(value AS BIGINT) + ? WHERE key = 'revision' RETURNING CAST(value AS BIGINT)
"""
_ADD_LINE = """
INSERT INTO outbox (uid, at, door, action, person, pictures, detail, actor, role, outcome, times)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# A part of an older copy of the tables may bring a removed person back.
_NOTE_GONE = """
INSERT INTO gone (person, revision) VALUES (?, ?) ON CONFLICT (person) DO UPDATE SET revision = excluded.revision
"""


def to_entry(rows: Sequence[Row]) -> PersonEntry:
    """Return the person from rows (slug, name, created, shown, digest, source, created, counter), one a picture."""
    slug, name, added, chosen, *_ = rows[0]
    pictures = [PictureEntry(row[4][:PICTURE_ID_DIGITS], row[5], row[6], bool(row[7])) for row in rows if row[4]]
    return PersonEntry(Person(slug, name), added, tuple(pictures), chosen and chosen[:PICTURE_ID_DIGITS])


def person_key(db: Connection, slug: str) -> int:
    """Return the key of a person. Raise UnknownPerson."""
    row = db.execute("SELECT id FROM people WHERE slug = ?", (slug,)).fetchone()
    if row is None:
        raise unknown_person_error(slug)
    return int(row[0])


def person_uid(db: Connection, person: int) -> str:
    """Return the random id of a person, by which the audit and the data keys name the person."""
    (uid,) = db.execute("SELECT uid FROM people WHERE id = ?", (person,)).fetchone()
    return str(uid)


def find_person_row(db: Connection, name: str) -> Row | None:
    """Return (key, slug, name) of the person with that name, in this spelling or else in another one (name_key)."""
    row: Row | None = db.execute(
        "SELECT id, slug, name FROM people WHERE name_key = ? ORDER BY name = ? DESC, id LIMIT 1",
        (name_key(name), name),
    ).fetchone()
    return row


def get_or_create_person(db: Connection, name: str) -> int:
    """Return the key of the person with that name. Raise BadRequest for a name that a new person cannot get."""
    if (row := find_person_row(db, name)) is not None:
        return int(row[0])
    check_new_name(name)
    row = db.execute(
        f"{ADD_PERSON} RETURNING id",
        (secrets.token_hex(UID_BYTES), free_slug(db, name), name, name_key(name), time.time()),
    ).fetchone()
    return int(row[0])


def count_people(db: Connection) -> int:
    """Return the number of people."""
    (count,) = db.execute("SELECT count(*) FROM people").fetchone()
    return int(count)


def largest_count_of_people(db: Connection) -> int:
    """Return a number that the number of people cannot exceed. It takes the same time for any number."""
    # The keys are different whole numbers from 1 on.
    (key,) = db.execute("SELECT max(id) FROM people").fetchone()
    return int(key or 0)


def picture_digests(db: Connection, person: int) -> set[str]:
    """Return the digests of all pictures of a person, including counter-examples."""
    return {digest for (digest,) in db.execute("SELECT digest FROM pictures WHERE person = ?", (person,))}


def has_showing_picture(db: Connection, person: int) -> bool:
    """Return whether a person has a picture that is not a counter-example."""
    return db.execute("SELECT 1 FROM pictures WHERE person = ? AND NOT counter", (person,)).fetchone() is not None


def folder_names(db: Connection, person: int) -> list[str]:
    """Return the names of a person's folders."""
    return [name for (name,) in db.execute("SELECT name FROM folders WHERE person = ?", (person,))]


def select_of_many(db: Connection, sql: str, values: Iterable[object]) -> list[Row]:
    """Return the rows of a query with ``{}`` for many values. No statement takes more than MAX_VALUES of them."""
    rows: list[Row] = []
    left = list(values)
    for start in range(0, len(left), MAX_VALUES):
        part = left[start : start + MAX_VALUES]
        rows += db.execute(sql.format(", ".join("?" * len(part))), part).fetchall()
    return rows


def bump_revision(db: Connection, person: int) -> None:
    """Give a person a new revision, by which other processes see the change."""
    db.execute("UPDATE people SET revision = ? WHERE id = ?", (_next_revision(db), person))


def mark_changed(db: Connection, *people: int) -> None:
    """Note that the pictures of people changed now. Each of them gets a new revision."""
    if not people:
        return
    # PostgreSQL keeps each version of a row until the transaction ends: for many people one by one would be slow.
    first = _next_revision(db, len(people)) - len(people) + 1
    now = time.time()
    db.executemany(
        "UPDATE people SET revision = ?, changed = ? WHERE id = ?",
        [(first + place, now, person) for place, person in enumerate(people)],
    )


def delete_person(db: Connection, person: int) -> None:
    """Delete a person, and all stored replies that contain the id or the name."""
    revision = _next_revision(db)
    slug, name = db.execute("SELECT slug, name FROM people WHERE id = ?", (person,)).fetchone()
    # The reply to a change of another person may contain the name in a warning.
    db.execute(
        "UPDATE effects SET person = NULL, reply = NULL"
        " WHERE person = ?1 OR instr(reply, ?1) > 0 OR instr(reply, ?2) > 0",
        (slug, json.dumps(name, ensure_ascii=False)[1:-1]),
    )
    db.execute("DELETE FROM people WHERE id = ?", (person,))
    db.execute(_NOTE_GONE, (person, revision))
    db.execute("DELETE FROM gone WHERE revision < ?", (revision - MAX_REVISIONS_OF_REMOVALS,))


def delete_picture(db: Connection, person: int, digest: str) -> None:
    """Delete a picture of a person."""
    db.execute("DELETE FROM pictures WHERE person = ? AND digest = ?", (person, digest))
    forget_shown(db, person, digest)


def forget_shown(db: Connection, person: int, digest: str) -> None:
    """Forget that a picture was chosen to be shown."""
    db.execute("UPDATE people SET shown = NULL WHERE id = ? AND shown = ?", (person, digest))


def find_picture(db: Connection, slug: str, picture: str) -> tuple[str, bool]:
    """Return the digest of a person's picture, and whether it is a counter-example. Raise UnknownPerson."""
    row = db.execute(
        "SELECT digest, counter FROM pictures WHERE person = ? AND substr(digest, 1, ?) = ?",
        (person_key(db, slug), PICTURE_ID_DIGITS, picture),
    ).fetchone()
    if row is None:
        raise UnknownPerson(f"{slug} has no picture {picture}: `facegate people show {slug}` lists its pictures")
    return str(row[0]), bool(row[1])


def delete_if_empty(db: Connection, person: int) -> bool:
    """Delete a person without a picture that shows them. Return whether the person stays."""
    if has_showing_picture(db, person):
        mark_changed(db, person)
        return True
    delete_person(db, person)
    return False


def append_person_audit(db: Connection, caller: Caller, action: str, person: int, pictures: int) -> None:
    """Add a line about a person to the outbox of the audit."""
    append_audit(db, caller, action, person_uid(db, person), pictures)


def append_audit_of_many(db: Connection, caller: Caller, action: str, pictures: Mapping[int, int]) -> None:
    """Add a line for each person. ``pictures``: their number by the keys of the people. Raise as ``append_audit``."""
    if pictures:
        _check_outbox(db, caller)
        uids: dict[int, str] = dict(select_of_many(db, "SELECT id, uid FROM people WHERE id IN ({})", pictures))
        lines = [make_row(caller, action, person=uids[each], pictures=n) for each, n in pictures.items()]
        db.executemany(_ADD_LINE, lines)


def append_audit(
    db: Connection, caller: Caller, action: str, uid: str = "", pictures: int = 0, detail: str = ""
) -> None:
    """Add a line to the outbox of the audit. ``uid``: the random id of a person, empty for nobody or everybody.

    Raise Busy if the outbox is full. The gateway itself, which erases people in time, may still add lines.
    """
    _check_outbox(db, caller)
    db.execute(_ADD_LINE, make_row(caller, action, person=uid, pictures=pictures, detail=detail))


def _check_outbox(db: Connection, caller: Caller) -> None:
    if caller.role != "system" and is_outbox_full(db):
        raise Busy(
            f"{MAX_WAITING_LINES} lines wait for the audit, which cannot be written: nothing is changed until it can be"
            " (`facegate doctor` says why)",
            OUTBOX_RETRY_S,
        )


def is_outbox_full(db: Connection) -> bool:
    """Return whether so many lines wait for the audit that callers may change nothing."""
    # The outbox is nearly always empty: the count of a full one takes milliseconds.
    return bool(db.execute("SELECT count(*) >= ? FROM outbox", (MAX_WAITING_LINES,)).fetchone()[0])


def _next_revision(db: Connection, count: int = 1) -> int:
    """Return the next revision, or the last one of ``count`` new ones."""
    (revision,) = db.execute(_NEW_REVISIONS, (count,)).fetchone()
    return int(revision)
