"""The check that no other process of Facegate uses a database."""

from __future__ import annotations

from contextlib import closing

from gateway.errors import GatewayError
from gateway.store.postgres.database import PostgresConnection, PostgresDatabase

_OTHER_USERS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'facegate' AND datname = current_database() AND pid != pg_backend_pid()
"""


def check_unused(url: str) -> None:
    """Raise GatewayError if another process of Facegate uses a database, on whatever machine."""
    with closing(PostgresDatabase(url)) as database, database.reading() as db:
        check_no_others(db, database)


def check_no_others(db: PostgresConnection, database: PostgresDatabase) -> None:
    """Raise GatewayError if another process of Facegate uses the database."""
    # A process that has just ended may be in the list for a moment.
    for _ in range(20):
        (others,) = db.execute(_OTHER_USERS).fetchone() or (0,)
        if not others:
            return
        db.execute("SELECT pg_sleep(0.1), pg_stat_clear_snapshot()")
    raise GatewayError(
        f"a gateway or another command uses the people store in PostgreSQL at {database.address.place}: stop it first"
    )
