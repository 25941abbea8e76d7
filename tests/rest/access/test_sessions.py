"""The sessions of browsers."""

from __future__ import annotations

from gateway.rest.access.sessions import MemorySessions, Sessions
from gateway.store.protocols.browser_sessions import MAX_IDLE_S, MAX_SESSION_S, MAX_SESSIONS_PER_TOKEN
from tests.rest.access.test_failed_logins import Clock


def test_session_is_found_by_its_id_until_it_ends() -> None:
    sessions = Sessions()
    session_id, session = sessions.begin(b"phone")
    found = sessions.find(session_id)
    assert found is not None
    assert (found.csrf, found.token_digest) == (session.csrf, b"phone")
    sessions.end(session_id)
    sessions.end("never begun")
    assert sessions.find(session_id) is None


def test_ids_and_csrf_tokens_are_random_and_long() -> None:
    sessions = Sessions()
    found = [sessions.begin(b"phone") for _ in range(20)]
    texts = {text for session_id, session in found for text in (session_id, session.csrf)}
    assert len(texts) == 40
    assert min(map(len, texts)) == 43


def test_session_without_requests_ends() -> None:
    clock = Clock()
    sessions = Sessions(MemorySessions(clock))
    session_id, _ = sessions.begin(b"phone")
    clock.now += MAX_IDLE_S - 1
    assert sessions.find(session_id)
    clock.now += MAX_IDLE_S - 1
    assert sessions.find(session_id)
    clock.now += MAX_IDLE_S
    assert sessions.find(session_id) is None


def test_session_ends_although_it_is_used() -> None:
    clock = Clock()
    sessions = Sessions(MemorySessions(clock))
    session_id, _ = sessions.begin(b"phone")
    end = clock.now + MAX_SESSION_S
    while clock.now + MAX_IDLE_S / 2 < end:
        clock.now += MAX_IDLE_S / 2
        assert sessions.find(session_id)
    clock.now = end
    assert sessions.find(session_id) is None


def test_sessions_of_a_token_are_bounded_and_displace_no_others() -> None:
    sessions = Sessions()
    admin, _ = sessions.begin(b"admin")
    ids = [sessions.begin(b"phone")[0] for _ in range(MAX_SESSIONS_PER_TOKEN + 3)]
    alive = [bool(sessions.find(each)) for each in ids]
    assert alive == [False] * 3 + [True] * MAX_SESSIONS_PER_TOKEN
    assert sessions.find(admin)


def test_ended_sessions_leave_the_memory() -> None:
    clock = Clock()
    memory = MemorySessions(clock)
    sessions = Sessions(memory)
    for n in range(50):
        sessions.begin(b"%d" % n)
    clock.now += MAX_IDLE_S
    sessions.begin(b"phone")
    assert len(memory._entries) == 1
