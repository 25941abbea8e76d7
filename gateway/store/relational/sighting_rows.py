"""Sightings as rows, and the checks of rows that may be damaged."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar, cast, get_args

from gateway.model import Box, Person, Quality
from gateway.model.names import unknown_sighting_error
from gateway.model.people import Likeness
from gateway.model.sightings import OUTCOMES, EndReason, Outcome, Sighting
from gateway.store.relational.database import Connection, Row
from gateway.store.relational.dialect import Dialect

REASONS: tuple[str, ...] = get_args(EndReason)

_SELECT = """
SELECT key, {id}, {visit}, {camera}, since, last, {outcome}, {slug}, {name}, unknown, seen, score, threshold, frames,
    {box}, s.ignored, ended, {reason}, {frigate_event}, {zones}
FROM sightings s LEFT JOIN people p ON p.id = person
"""
_TEXTS = {"id": "s.id"} | {
    name: name for name in ("visit", "camera", "outcome", "slug", "name", "box", "reason", "frigate_event", "zones")
}

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
SELECT sighting, {slug}, {name}, score, similarity
FROM sighting_candidates JOIN people ON people.id = person WHERE sighting IN ({keys}) ORDER BY score DESC, slug
"""
MAX_SQL_VALUES = 900
"""The values of one query: SQLite before 3.32 allows 999."""

T = TypeVar("T", int, float)


def select_sightings(dialect: Dialect) -> str:
    """Return the query of the columns that ``read_sighting`` expects. Its conditions, order and limit follow."""
    return _SELECT.format(**{name: dialect.as_bytes(column) for name, column in _TEXTS.items()})


def find_position(db: Connection, sighting: str) -> Row:
    """Return the place of a sighting among all others: its start and its key. Raise UnknownPerson."""
    row: Row | None = db.execute("SELECT since, key FROM sightings WHERE id = ?", (sighting,)).fetchone()
    if row is None:
        raise unknown_sighting_error(sighting)
    return row


def to_row(sighting: Sighting, person: int | None) -> Row:
    """Return the values for WRITE, but for recipe, evidence and owner. ``person``: the key of the person."""
    s, box = sighting, sighting.box
    return (
        *(s.id, s.visit, s.camera, s.since, s.last_seen, s.outcome, person, s.unknown, s.seen, s.score, s.threshold),
        *(s.frames, json.dumps([box.left, box.top, box.right, box.bottom]) if box else None, s.ignored),
        *(s.ended, s.reason, s.frigate_event, json.dumps(s.zones)),
    )


def read_sighting(row: Row, candidates: Sequence[Row]) -> Sighting:
    """Return the sighting of a row of ``select_sightings``, with candidates from ``read_candidates``.

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


def read_candidates(db: Connection, dialect: Dialect, keys: Sequence[int]) -> dict[int, list[Row]]:
    """Return (slug, name, score, similarity) of the candidates of sightings, the best first, by the sightings' keys."""
    found: dict[int, list[Row]] = {}
    texts = {name: dialect.as_bytes(name) for name in ("slug", "name")}
    for start in range(0, len(keys), MAX_SQL_VALUES):
        block = keys[start : start + MAX_SQL_VALUES]
        marks = ", ".join("?" * len(block))
        for key, *candidate in db.execute(_CANDIDATES.format(keys=marks, **texts), block):
            found.setdefault(key, []).append(tuple(candidate))
    return found


def write_quality(quality: Quality | None) -> str | None:
    return None if quality is None else json.dumps(asdict(quality))


def read_quality(value: bytes | str | None) -> Quality | None:
    """Return the quality of a face. Raise ValueError, TypeError or RecursionError if it is damaged."""
    if value is None:
        return None
    fields = json.loads(value)
    if not all(each is None or isinstance(each, int | float) for each in fields.values()):
        raise ValueError("a number in it is damaged")
    return Quality(**fields)


def move_sightings(db: Connection, person: int, into: int) -> list[int]:
    """Give the sightings of a person to another one, by their keys, within the transaction of the caller.

    Return the keys of the sightings.
    """
    moved = [key for (key,) in db.execute("SELECT key FROM sightings WHERE person = ?", (person,))]
    db.execute("UPDATE sightings SET person = ? WHERE person = ?", (into, person))
    db.execute("UPDATE moved_groups SET person = ? WHERE person = ?", (into, person))
    db.execute(
        "UPDATE sighting_candidates SET person = ?2 WHERE person = ?1"
        " AND sighting NOT IN (SELECT sighting FROM sighting_candidates WHERE person = ?2)",
        (person, into),
    )
    # A row that is left belongs to a sighting with both people as candidates, and would delete it with the person.
    db.execute("DELETE FROM sighting_candidates WHERE person = ?", (person,))
    return moved


def _read_candidate(slug: bytes | str, name: bytes | str, score: object, similarity: object) -> Likeness:
    return Likeness(Person(_text(slug), _text(name)), _number(float, score), _number(float, similarity))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else bytes(value).decode()


def _word(value: bytes | str, words: tuple[str, ...]) -> str:
    if (word := _text(value)) not in words:
        raise ValueError("a word in it is unknown")
    return word


def _number(kind: type[T], value: object) -> T:
    if not isinstance(value, kind) or not math.isfinite(value):
        raise ValueError("a number in it is missing or damaged")
    return value


def _optional(kind: type[T], value: object) -> T | None:
    return None if value is None else _number(kind, value)


def _list(value: bytes | str) -> list[Any]:
    found = json.loads(value)
    if not isinstance(found, list):
        raise ValueError("a list in it is damaged")
    return found


def _box(value: bytes | str | None) -> Box | None:
    return None if value is None else Box(*(_number(int, each) for each in _list(value)))


def _texts(value: bytes | str) -> tuple[str, ...]:
    found = _list(value)
    if not all(isinstance(each, str) for each in found):
        raise ValueError("a list in it is damaged")
    return tuple(found)
