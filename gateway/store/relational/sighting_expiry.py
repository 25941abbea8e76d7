"""The deletion of old sightings, and of those over the limit."""

from __future__ import annotations

import time

from gateway.store.limits import SightingLimits
from gateway.store.relational.database import Database, Row

MAX_DELETED_AT_ONCE = 1000
"""The sightings that one transaction deletes, so that other changes do not wait for long."""

_EXPIRED = "SELECT key FROM sightings WHERE ended < ?1 OR (ended IS NULL AND last < ?1) LIMIT ?2"
# The k-th newest sighting of a camera has the place k.
_OVER_LIMIT = """
SELECT key FROM (SELECT key, row_number() OVER (PARTITION BY camera ORDER BY since DESC, key DESC) AS place
    FROM sightings) AS placed ORDER BY place DESC LIMIT ?
"""


def delete_old(database: Database, limits: SightingLimits) -> None:
    """Delete the sightings that ended too long ago, and those over the limit. Raise GatewayError.

    A sighting that was not changed for the same time, and never ended, is deleted too.
    """
    _end_undated(database)
    before = time.time() - 86_400 * limits.keep_days
    deleted = 0
    while count := _delete(database, _EXPIRED, (before, MAX_DELETED_AT_ONCE)):
        deleted += count
    ((total,),) = database.rows("SELECT count(*) FROM sightings")
    if total > limits.most:
        # The search reads all sightings: 1.3 s of processor time for a million. It is needed less often this way.
        spare = limits.most // 100
        deleted += _delete(database, _OVER_LIMIT, (total - limits.most + spare,))
    if deleted:
        database.scrub()


def _end_undated(database: Database) -> None:
    """Let the sightings expire whose times cannot be read: they count as ended now."""
    has_no_time = database.dialect.is_no_number
    undated = f"{has_no_time('ended')} OR (ended IS NULL AND {has_no_time('last')})"
    if database.row(f"SELECT 1 FROM sightings WHERE {undated}"):  # noqa: S608 (constants)
        with database.transaction() as db:
            db.execute(f"UPDATE sightings SET ended = ? WHERE {undated}", (time.time(),))  # noqa: S608 (constants)


def _delete(database: Database, select: str, values: Row) -> int:
    """Delete the sightings whose keys a query selects, and return their number."""
    # A transaction without a change would write to flash memory for nothing.
    keys = database.rows(select, values)
    if keys:
        with database.transaction() as db:
            db.executemany("DELETE FROM sightings WHERE key = ?", keys)
    return len(keys)
