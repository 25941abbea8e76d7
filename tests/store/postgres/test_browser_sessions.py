"""The log-ins of browsers that replicas share, in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from gateway.errors import Busy
from gateway.rest.access.sessions import Sessions
from gateway.store.postgres.browser_sessions import PostgresBrowserSessions
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.protocols.browser_sessions import MAX_IDLE_S, MAX_SESSION_S, MAX_SESSIONS_PER_TOKEN

pytestmark = pytest.mark.extra


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with closing(PostgresDatabase(postgres_url)) as database:
        yield database


@pytest.fixture
def store(postgres_url: str, database: PostgresDatabase) -> Iterator[PostgresBrowserSessions]:
    with closing(PostgresBrowserSessions(postgres_url)) as store:
        yield store


def make_older(database: PostgresDatabase, column: str, seconds: float) -> None:
    with database.transaction() as db:
        db.execute(f"UPDATE browser_sessions SET {column} = {column} - ? * interval '1 s'", (seconds,))  # noqa: S608


def test_session_is_the_same_at_another_replica(postgres_url: str, store: PostgresBrowserSessions) -> None:
    session_id, session = Sessions(store).begin(b"phone")
    with closing(PostgresBrowserSessions(postgres_url)) as other:
        assert Sessions(other).find(session_id) == session
        Sessions(other).end(session_id)
    assert Sessions(store).find(session_id) is None
    assert Sessions(store).find("never begun") is None


@pytest.mark.parametrize(("column", "limit"), [("used", MAX_IDLE_S), ("begun", MAX_SESSION_S)])
def test_session_ends(store: PostgresBrowserSessions, database: PostgresDatabase, column: str, limit: float) -> None:
    session_id, _ = Sessions(store).begin(b"phone")
    make_older(database, column, limit - 60)
    assert Sessions(store).find(session_id)
    # The use is noted.
    make_older(database, column, 60 if column == "begun" else limit - 60)
    assert bool(Sessions(store).find(session_id)) is (column == "used")
    make_older(database, column, limit)
    assert Sessions(store).find(session_id) is None
    Sessions(store).begin(b"other")
    assert database.rows("SELECT token FROM browser_sessions") == [(b"other",)]


def test_sessions_of_a_token_are_bounded_and_displace_no_others(store: PostgresBrowserSessions) -> None:
    sessions = Sessions(store)
    admin, _ = sessions.begin(b"admin")
    ids = [sessions.begin(b"phone")[0] for _ in range(MAX_SESSIONS_PER_TOKEN + 3)]
    assert [bool(sessions.find(each)) for each in ids] == [False] * 3 + [True] * MAX_SESSIONS_PER_TOKEN
    assert sessions.find(admin)


def test_store_has_no_id_and_no_csrf_token(store: PostgresBrowserSessions, database: PostgresDatabase) -> None:
    session_id, session = Sessions(store).begin(b"phone")
    ((text,),) = database.rows("SELECT row(browser_sessions.*)::text FROM browser_sessions")
    assert not any(each.encode().hex() in text or each in text for each in (session_id, session.csrf))


def test_requests_do_not_queue_behind_a_database_that_does_not_answer(
    store: PostgresBrowserSessions, postgres_url: str
) -> None:
    """Regression: anybody with a made-up cookie made the others wait, each for seconds and one after the other."""
    sessions = Sessions(store)
    session_id, session = sessions.begin(b"phone")

    def refusal(number: int) -> str:
        with pytest.raises(Busy) as caught:
            sessions.find(f"made up {number}")
        return str(caught.value)

    with psycopg.connect(postgres_url) as db, ThreadPoolExecutor(12) as clients:
        # A lookup waits a second for this lock, in the database.
        db.execute("LOCK TABLE facegate.browser_sessions IN ACCESS EXCLUSIVE MODE")
        refusals = list(clients.map(refusal, range(12)))
    waited = [each for each in refusals if "earlier statements of this process" in each]
    assert 0 < len(waited) < len(refusals)
    assert sessions.find(session_id) == session
