"""The parts of a PostgreSQL store by which replicas work together, opened by the settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from gateway.config import Settings
from gateway.errors import ConfigError
from gateway.model.cluster import ClusterView
from gateway.people.postgres_extra import extra_postgres
from gateway.store.protocols.broker_notes import BrokerNotes
from gateway.store.protocols.browser_sessions import BrowserSessions
from gateway.store.protocols.coordination import Coordination
from gateway.store.protocols.live_board import LiveBoard
from gateway.store.protocols.live_events import LiveEvents

READ_LEASE_S = 30.0
"""A time within which a command may wait for the database, as for a lease of this length."""


@dataclass(frozen=True, slots=True)
class ClusterStore:
    """These parts. ``open_coordination``: returns another connection each time. ``close`` ends the connections."""

    open_coordination: Callable[[], Coordination]
    notes: BrokerNotes
    board: LiveBoard
    events: LiveEvents
    sessions: BrowserSessions
    close: Callable[[], None]


def read_cluster(settings: Settings) -> ClusterView:
    """Return the cluster as the database knows it, whether this gateway runs or not. Raise GatewayError."""
    if settings.cluster.name is None or (url := settings.people.postgres_url) is None:
        raise ConfigError("cluster.name is not set: this gateway works alone, and has no replicas")
    with extra_postgres():
        from gateway.store.postgres.coordination import PostgresCoordination
        from gateway.store.postgres.opening import store_exists

    # It raises an error with advice, as at the start of a gateway.
    store_exists(url)
    with closing(PostgresCoordination(url, READ_LEASE_S)) as coordination:
        return coordination.read()


def open_coordination(settings: Settings) -> Coordination:
    """Open a connection for the agreement with the replicas. The database may be away. Raise StartError."""
    if (url := settings.people.postgres_url) is None:
        raise ConfigError("cluster.name needs a store that replicas share: set people.store to postgresql://…")
    with extra_postgres():
        from gateway.store.postgres.coordination import PostgresCoordination

    return PostgresCoordination(url, settings.cluster.lease_s)


def open_cluster_store(settings: Settings) -> ClusterStore:
    """Open these parts. The database may be away. Raise StartError."""
    if (url := settings.people.postgres_url) is None:
        raise ConfigError("cluster.name needs a store that replicas share: set people.store to postgresql://…")
    # The library is an extra: a single gateway does not need it.
    with extra_postgres():
        from gateway.store.postgres.broker_notes import PostgresBrokerNotes
        from gateway.store.postgres.browser_sessions import PostgresBrowserSessions
        from gateway.store.postgres.connections import MAX_BOARD_CONNECTIONS
        from gateway.store.postgres.coordination import PostgresCoordination
        from gateway.store.postgres.database import PostgresDatabase
        from gateway.store.postgres.live_board import PostgresLiveBoard
        from gateway.store.postgres.live_events import PostgresLiveEvents

    notes, events, sessions = PostgresBrokerNotes(url), PostgresLiveEvents(url), PostgresBrowserSessions(url)
    database = PostgresDatabase(url, most_connections=MAX_BOARD_CONNECTIONS)

    def close() -> None:
        notes.close()
        events.close()
        sessions.close()
        database.close()

    return ClusterStore(
        lambda: PostgresCoordination(url, settings.cluster.lease_s),
        notes,
        PostgresLiveBoard(database),
        events,
        sessions,
        close,
    )
