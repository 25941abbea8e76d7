"""The sightings of an unknown group that gets a name, or is joined to another group.

A sighting that goes on is written again later, by a part of the gateway that still has the old group. The moves are
therefore stored for a while.
"""

from __future__ import annotations

import time
from dataclasses import replace

from gateway.model import Person
from gateway.model.sightings import Sighting
from gateway.store.relational.database import Connection

MOVE_LIFETIME_S = 86_400
"""The time for which a move is stored. Hardly any sighting lasts longer."""

_NOTE_MOVE = """
INSERT INTO moved_groups (unknown, person, other, at) VALUES (?, ?, ?, ?)
ON CONFLICT (unknown) DO UPDATE SET person = excluded.person, other = excluded.other, at = excluded.at
"""


def name_group(db: Connection, unknown: int, person: int) -> list[int]:
    """Give the sightings of a group to the person with a key. Return the keys of the sightings."""
    named = [key for (key,) in db.execute("SELECT key FROM sightings WHERE unknown = ?", (unknown,))]
    _note_move(db, unknown, person, None)
    db.execute(
        "UPDATE sightings SET person = ?, outcome = 'named', unknown = NULL, seen = NULL, ignored = FALSE"
        " WHERE unknown = ?",
        (person, unknown),
    )
    return named


def move_group(db: Connection, unknown: int, into: int) -> None:
    """Give the sightings of a group to another group."""
    _note_move(db, unknown, None, into)
    db.execute("UPDATE sightings SET unknown = ? WHERE unknown = ?", (into, unknown))


def follow_group(db: Connection, sighting: Sighting) -> Sighting:
    """Return the sighting with the person or the group that its unknown group was given to."""
    row = db.execute(
        "SELECT other, slug, name FROM moved_groups LEFT JOIN people ON people.id = person WHERE unknown = ?",
        (sighting.unknown,),
    ).fetchone()
    if row is None or sighting.person is not None:
        return sighting
    other, slug, name = row
    if slug is None:
        return replace(sighting, unknown=other)
    return replace(sighting, outcome="named", person=Person(slug, name), unknown=None, seen=None, ignored=False)


def _note_move(db: Connection, unknown: int, person: int | None, other: int | None) -> None:
    now = time.time()
    db.execute("DELETE FROM moved_groups WHERE at < ?", (now - MOVE_LIFETIME_S,))
    db.execute("UPDATE moved_groups SET person = ?, other = ?, at = ? WHERE other = ?", (person, other, now, unknown))
    db.execute(_NOTE_MOVE, (unknown, person, other, now))
