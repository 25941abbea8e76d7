"""The sightings without a name that may show a person who is erased: those shortly before, during or after a visit.

A tilted or dark face may be too different from its person for any comparison. So the time and the camera decide.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Sequence

NEIGHBOUR_S = 120.0
"""Time between the sighting of a person and one that may show the same person: the default of sightings.again_s."""

Interval = tuple[float, float]
"""The first and the last moment, in seconds since 1970."""

# Damaged values are read too: a text or blob in place of a number counts as 0.
_COLUMNS = "CAST(camera AS BLOB), CAST(since AS REAL), CAST(last AS REAL)"
_OF_PERSON = f"""
SELECT {_COLUMNS} FROM sightings WHERE person = ?1
    OR key IN (SELECT sighting FROM sighting_candidates WHERE person = ?1)
"""  # noqa: S608 (a constant of this module)
_UNNAMED = f"SELECT key, {_COLUMNS} FROM sightings WHERE person IS NULL"  # noqa: S608 (a constant of this module)


def delete_neighbours(db: sqlite3.Connection, person: int) -> None:
    """Delete the sightings without a name around those of the person with a key, within the caller's transaction."""
    visits: dict[bytes, list[Interval]] = {}
    for camera, since, last in db.execute(_OF_PERSON, (person,)):
        visits.setdefault(camera, []).append((since - NEIGHBOUR_S, last + NEIGHBOUR_S))
    if not visits:
        return
    joined = {camera: _join(intervals) for camera, intervals in visits.items()}
    found = [
        (key,) for key, camera, since, last in db.execute(_UNNAMED) if _touches(joined.get(camera, ()), since, last)
    ]
    db.executemany("DELETE FROM sightings WHERE key = ?", found)


def _join(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the intervals in order. Those that overlap become one."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _touches(intervals: Sequence[Interval], since: float, last: float) -> bool:
    """Return whether the time from ``since`` to ``last`` overlaps one of the intervals, which are in order."""
    place = bisect_left(intervals, since, key=lambda each: each[1])
    return place < len(intervals) and intervals[place][0] <= last
