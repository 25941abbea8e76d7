"""Sightings as rows of SQLite, and the checks of rows that may be damaged."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar, cast, get_args

from gateway.model import Box, Person, Quality
from gateway.model.people import Likeness
from gateway.model.sightings import OUTCOMES, EndReason, Outcome, Sighting
from gateway.store.sqlite.database import Row

REASONS: tuple[str, ...] = get_args(EndReason)

# A column in SQLite may contain a value of any type. Text is read as bytes: one row with bytes that are not UTF-8 would
# make the whole query fail.
SELECT = """
SELECT key, CAST(s.id AS BLOB), CAST(visit AS BLOB), CAST(camera AS BLOB), since, last, CAST(outcome AS BLOB),
    CAST(slug AS BLOB), CAST(name AS BLOB), unknown, seen, score, threshold, frames, CAST(box AS BLOB), s.ignored,
    ended, CAST(reason AS BLOB), CAST(frigate_event AS BLOB), CAST(zones AS BLOB)
FROM sightings s LEFT JOIN people p ON p.id = person
"""
"""Selects the columns that ``read_sighting`` expects. The conditions, the order and the limit follow."""

WRITE = """
INSERT INTO sightings (id, visit, camera, since, last, outcome, person, unknown, seen, score, threshold, frames, box,
    ignored, ended, reason, frigate_event, zones, recipe, evidence, owner)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET visit = excluded.visit, camera = excluded.camera, since = excluded.since,
    last = excluded.last, outcome = excluded.outcome, person = excluded.person, unknown = excluded.unknown,
    seen = excluded.seen, score = excluded.score, threshold = excluded.threshold, frames = excluded.frames,
    box = excluded.box, ignored = excluded.ignored, ended = excluded.ended, reason = excluded.reason,
    frigate_event = excluded.frigate_event, zones = excluded.zones, recipe = excluded.recipe,
    evidence = excluded.evidence, owner = excluded.owner
RETURNING key
"""

_CANDIDATES = """
SELECT sighting, CAST(slug AS BLOB), CAST(name AS BLOB), score, similarity
FROM sighting_candidates JOIN people ON people.id = person WHERE sighting IN ({keys}) ORDER BY score DESC, slug
"""
MAX_SQL_VALUES = 900
"""The values of one query: SQLite before 3.32 allows 999."""

T = TypeVar("T", int, float)


def to_row(sighting: Sighting, person: int | None) -> Row:
    """Return the values for WRITE, but for recipe, evidence and owner. ``person``: the key of the person."""
    s, box = sighting, sighting.box
    return (
        *(s.id, s.visit, s.camera, s.since, s.last_seen, s.outcome, person, s.unknown, s.seen, s.score, s.threshold),
        *(s.frames, json.dumps([box.left, box.top, box.right, box.bottom]) if box else None, s.ignored),
        *(s.ended, s.reason, s.frigate_event, json.dumps(s.zones)),
    )


def read_sighting(row: Row, candidates: Sequence[Row]) -> Sighting:
    """Return the sighting of a row of SELECT, with candidates from ``read_candidates``.

    Raise ValueError, TypeError or RecursionError if a row is damaged.
    """
    _, key, visit, camera, since, last, outcome, slug, name, unknown, seen, score, threshold, frames, *rest = row
    box, ignored, ended, reason, frigate_event, zones = rest
    return Sighting(
        id=_text(key),
        visit=_text(visit),
        camera=_text(camera),
        since=_number(float, since),
        last_seen=_number(float, last),
        outcome=cast("Outcome", _word(outcome, OUTCOMES)),
        person=Person(_text(slug), _text(name)) if slug is not None else None,
        unknown=_optional(int, unknown),
        seen=_optional(int, seen),
        score=_optional(float, score),
        threshold=_optional(float, threshold),
        frames=_number(int, frames),
        box=_box(box),
        candidates=tuple(_read_candidate(*each) for each in candidates),
        ignored=bool(_number(int, ignored)),
        ended=_optional(float, ended),
        reason=cast("EndReason", _word(reason, REASONS)) if reason is not None else None,
        frigate_event=_text(frigate_event) if frigate_event is not None else None,
        zones=_texts(zones),
    )


def read_candidates(db: sqlite3.Connection, keys: Sequence[int]) -> dict[int, list[Row]]:
    """Return (slug, name, score, similarity) of the candidates of sightings, the best first, by the sightings' keys."""
    found: dict[int, list[Row]] = {}
    for start in range(0, len(keys), MAX_SQL_VALUES):
        block = keys[start : start + MAX_SQL_VALUES]
        marks = ", ".join("?" * len(block))
        for key, *candidate in db.execute(_CANDIDATES.format(keys=marks), block):
            found.setdefault(key, []).append(tuple(candidate))
    return found


def write_quality(quality: Quality | None) -> str | None:
    return None if quality is None else json.dumps(asdict(quality))


def read_quality(value: bytes | None) -> Quality | None:
    """Return the quality of a face. Raise ValueError, TypeError or RecursionError if it is damaged."""
    if value is None:
        return None
    fields = json.loads(bytes(value))
    if not all(each is None or isinstance(each, int | float) for each in fields.values()):
        raise ValueError("a number in it is damaged")
    return Quality(**fields)


def move_sightings(db: sqlite3.Connection, person: int, into: int) -> list[int]:
    """Give the sightings of a person to another one, by their keys, within the transaction of the caller.

    Return the keys of the sightings.
    """
    moved = [key for (key,) in db.execute("SELECT key FROM sightings WHERE person = ?", (person,))]
    db.execute("UPDATE sightings SET person = ? WHERE person = ?", (into, person))
    db.execute("UPDATE moved_groups SET person = ? WHERE person = ?", (into, person))
    db.execute("UPDATE OR IGNORE sighting_candidates SET person = ? WHERE person = ?", (into, person))
    # A row that is left belongs to a sighting with both people as candidates, and would delete it with the person.
    db.execute("DELETE FROM sighting_candidates WHERE person = ?", (person,))
    return moved


def _read_candidate(slug: bytes, name: bytes, score: object, similarity: object) -> Likeness:
    return Likeness(Person(_text(slug), _text(name)), _number(float, score), _number(float, similarity))


def _text(value: bytes) -> str:
    return bytes(value).decode()


def _word(value: bytes, words: tuple[str, ...]) -> str:
    if (word := _text(value)) not in words:
        raise ValueError("a word in it is unknown")
    return word


def _number(kind: type[T], value: object) -> T:
    if not isinstance(value, kind) or not math.isfinite(value):
        raise ValueError("a number in it is missing or damaged")
    return value


def _optional(kind: type[T], value: object) -> T | None:
    return None if value is None else _number(kind, value)


def _list(value: bytes) -> list[Any]:
    found = json.loads(bytes(value))
    if not isinstance(found, list):
        raise ValueError("a list in it is damaged")
    return found


def _box(value: bytes | None) -> Box | None:
    return None if value is None else Box(*(_number(int, each) for each in _list(value)))


def _texts(value: bytes) -> tuple[str, ...]:
    found = _list(value)
    if not all(isinstance(each, str) for each in found):
        raise ValueError("a list in it is damaged")
    return tuple(found)
