"""The sightings without a name that may show a person who is erased: those shortly before, during or after a visit.

A tilted or dark face may be too different from its person for any comparison. So the time and the camera decide.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from gateway.store.relational.database import Connection
from gateway.store.relational.dialect import Dialect

NEIGHBOUR_S = 120.0
"""Time between the sighting of a person and one that may show the same person: the default of sightings.again_s."""

Interval = tuple[float, float]
"""The first and the last moment, in seconds since 1970."""

# Damaged values are read too: a text or bytes in place of a number counts as 0.
_OF_PERSON = """
SELECT {camera}, CAST(since AS DOUBLE PRECISION), CAST(last AS DOUBLE PRECISION) FROM sightings WHERE person = ?1
    OR key IN (SELECT sighting FROM sighting_candidates WHERE person = ?1)
"""
_UNNAMED = """
SELECT key, {camera}, CAST(since AS DOUBLE PRECISION), CAST(last AS DOUBLE PRECISION) FROM sightings
WHERE person IS NULL
"""


def delete_neighbours(db: Connection, dialect: Dialect, person: int) -> None:
    """Delete the sightings without a name around those of the person with a key, within the caller's transaction."""
    camera_column = dialect.as_bytes("camera")
    visits: dict[bytes | str, list[Interval]] = {}
    for camera, since, last in db.execute(_OF_PERSON.format(camera=camera_column), (person,)):
        visits.setdefault(camera, []).append((since - NEIGHBOUR_S, last + NEIGHBOUR_S))
    if not visits:
        return
    joined = {camera: _join(intervals) for camera, intervals in visits.items()}
    unnamed = db.execute(_UNNAMED.format(camera=camera_column))
    found = [(key,) for key, camera, since, last in unnamed if _touches(joined.get(camera, ()), since, last)]
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
