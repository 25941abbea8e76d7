"""Retained documents: the newest one of each topic, on each session, until its topic is cleared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.mqtt.announcements import documents as module
from gateway.mqtt.announcements import source
from gateway.mqtt.announcements.documents import MAX_DEFERRED_PER_TICK, RetainedDocuments
from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.announcements.untaken import MAX_CLEARING_ATTEMPTS
from gateway.mqtt.retained import RetainedTopics
from gateway.mqtt.transport.backoff import MAX_SHORT_CONNECTIONS
from tests.mqtt.announcements.sessions import ConfirmingSession

PORCH, YARD = "facegate/porch/present", "facegate/yard/present"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "retained.json"


class Run:
    """A run of the gateway with documents of one owner."""

    def __init__(self, path: Path, owner: str = "live") -> None:
        self.sender = Sender(1000)
        self.documents = RetainedDocuments(owner, RetainedTopics(path), self.sender.send)
        self.sender.add(self.documents)

    def connect(self) -> ConfirmingSession:
        session = ConfirmingSession()
        self.sender.start_session(session)
        return session


@pytest.fixture
def run(path: Path) -> Run:
    return Run(path)


def topics_in(path: Path, owner: str = "live") -> list[str]:
    return RetainedTopics(path).left_behind(owner, ())


def test_only_the_newest_document_is_published_after_the_broker_was_away(run: Run) -> None:
    for payload in (b"1", b"2", b"3"):
        run.documents.publish(PORCH, payload)
    session = run.connect()
    assert session.take() == [(PORCH, b"3")]
    run.documents.publish(PORCH, b"4")
    assert session.take() == [(PORCH, b"4")]


def test_document_is_retained_and_has_qos_1(run: Run) -> None:
    session = run.connect()
    run.documents.publish(PORCH, b"1")
    (message,) = session.published
    assert (message.retain, message.qos, message.expiry) == (True, 1, None)


def test_document_of_before_is_not_published_again(run: Run) -> None:
    session = run.connect()
    run.documents.publish(PORCH, b"1")
    run.documents.publish(PORCH, b"1")
    assert session.take() == [(PORCH, b"1")]


def test_every_session_gets_all_documents(run: Run) -> None:
    """A broker without persistence has lost them."""
    run.connect()
    run.documents.publish(PORCH, b"1")
    run.documents.publish(YARD, b"2")
    assert run.connect().take() == [(PORCH, b"1"), (YARD, b"2")]


def test_slow_broker_gets_the_newest_document_when_it_takes_it(run: Run) -> None:
    session = run.connect()
    run.sender._max_pending = 1
    for payload in (b"1", b"2", b"3"):
        run.documents.publish(PORCH, payload)
    assert session.take() == [(PORCH, b"1")]
    run.sender.tick()
    assert session.take() == []
    session.confirm()
    run.sender.tick()
    assert session.take() == [(PORCH, b"3")]


def test_topic_is_in_the_journal_before_its_document_is_published(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill between the two steps the next run can clear it."""
    known: list[list[str]] = []
    monkeypatch.setattr(module, "publish", lambda *_: known.append(topics_in(path)))
    run.connect()
    run.documents.publish(PORCH, b"1")
    assert known == [[PORCH]]


def test_withdrawn_topic_is_cleared_and_leaves_the_journal_when_the_broker_has_confirmed(run: Run, path: Path) -> None:
    session = run.connect()
    run.documents.publish(PORCH, b"1")
    run.documents.withdraw(PORCH)
    assert session.take() == [(PORCH, b"1"), (PORCH, b"")]
    run.sender.tick()
    assert topics_in(path) == [PORCH]
    session.confirm()
    run.sender.tick()
    assert topics_in(path) == []
    assert run.connect().take() == []


def test_topic_that_was_withdrawn_without_a_broker_is_cleared_on_the_next_session(run: Run, path: Path) -> None:
    run.connect()
    run.documents.publish(PORCH, b"1")
    lost = run.connect()
    lost.connected = False
    run.documents.withdraw(PORCH)
    session = run.connect()
    assert session.take() == [(PORCH, b"")]
    session.confirm()
    run.sender.tick()
    assert topics_in(path) == []


def test_document_after_a_withdrawal_stays(run: Run, path: Path) -> None:
    session = run.connect()
    run.documents.publish(PORCH, b"1")
    run.documents.withdraw(PORCH)
    run.documents.publish(PORCH, b"2")
    assert session.take() == [(PORCH, b"1"), (PORCH, b""), (PORCH, b"2")]
    session.confirm()
    run.sender.tick()
    assert topics_in(path) == [PORCH]
    assert run.connect().take() == [(PORCH, b"2")]


def test_empty_document_withdraws_its_topic(run: Run) -> None:
    session = run.connect()
    run.documents.publish(PORCH, b"1")
    run.documents.publish(PORCH, b"")
    assert session.take() == [(PORCH, b"1"), (PORCH, b"")]


def test_topic_that_was_never_published_needs_no_clearing(run: Run) -> None:
    session = run.connect()
    run.documents.withdraw(PORCH)
    assert session.take() == []


def test_topics_of_an_earlier_run_are_cleared_unless_they_are_used(run: Run, path: Path) -> None:
    session = run.connect()
    for camera in "abc":
        run.documents.publish(camera, b"1")
    session.confirm()
    after = Run(path)
    assert after.documents.earlier_topics == ["a", "b", "c"]
    after.documents.publish("a", b"2")
    session = after.connect()
    assert session.take() == [("a", b"2"), ("b", b""), ("c", b"")]
    session.confirm()
    after.sender.tick()
    assert topics_in(path) == ["a"]


def test_topics_of_another_owner_are_not_touched(run: Run, path: Path) -> None:
    run.connect()
    run.documents.publish(PORCH, b"1")
    other = Run(path, "homeassistant")
    assert other.connect().take() == []
    other.documents.withdraw(PORCH)
    assert topics_in(path) == [PORCH]


def test_clearing_stops_if_it_ends_every_connection(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: where the broker closes such connections, the gateway ended at each start."""
    RetainedTopics(path).add("live", PORCH)
    run = Run(path)
    attempts = [run.connect().take() for _ in range(MAX_CLEARING_ATTEMPTS + 2)]
    assert attempts == [[(PORCH, b"")]] * MAX_CLEARING_ATTEMPTS + [[]] * 2
    assert MAX_CLEARING_ATTEMPTS < MAX_SHORT_CONNECTIONS
    assert f"['{PORCH}'] cannot be cleared" in caplog.text
    run.sender.tick()  # the last connection did not end
    assert run.connect().take() == [(PORCH, b"")]


def test_topic_whose_clearing_was_given_up_does_not_count_as_cleared(path: Path) -> None:
    """Regression: a removal was answered while the broker still had the message."""
    RetainedTopics(path).add("live", PORCH)
    run = Run(path)
    for _ in range(MAX_CLEARING_ATTEMPTS + 2):
        run.connect()
    run.sender.tick()
    assert not run.documents.knows_earlier_topics
    assert any(PORCH in each for each in run.documents.warnings)
    session = run.connect()
    assert session.take() == [(PORCH, b"")]
    assert not run.documents.is_confirmed(PORCH)
    session.confirm()
    run.sender.tick()
    assert run.documents.is_confirmed(PORCH)
    assert run.documents.knows_earlier_topics
    assert run.documents.warnings == ()
    assert topics_in(path) == []


def test_connections_that_the_gateway_cuts_are_no_failed_attempts(path: Path) -> None:
    RetainedTopics(path).add("live", PORCH)
    run = Run(path)
    for _ in range(MAX_CLEARING_ATTEMPTS + 2):
        session = run.connect()
        assert session.take() == [(PORCH, b"")]
        session.abort("the broker did not take its messages")


def test_documents_that_can_wait_are_published_a_few_at_a_time(run: Run) -> None:
    session = run.connect()
    for n in range(MAX_DEFERRED_PER_TICK + 5):
        run.documents.publish_later(f"facegate/{n}/state", b"1")
    assert session.take() == []
    run.sender.tick()
    assert len(session.take()) == MAX_DEFERRED_PER_TICK
    run.sender.tick()
    assert len(session.take()) == 5


def test_urgent_document_takes_the_place_of_one_that_can_wait(run: Run) -> None:
    session = run.connect()
    run.documents.publish_later(PORCH, b"1")
    run.documents.publish(PORCH, b"2")
    run.sender.tick()
    assert session.take() == [(PORCH, b"2")]


def test_stopped_sender_publishes_nothing(run: Run) -> None:
    """Another gateway serves these topics."""
    session = run.connect()
    run.sender.stop()
    run.documents.publish(PORCH, b"1")
    run.sender.tick()
    assert session.take() == []


def test_document_that_is_announced_while_another_is_sent_follows_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads must not change the order of two documents of one topic."""
    session = run.connect()
    publish: Callable[..., None] = source.publish
    seen: list[bytes] = []

    def publish_slowly(*arguments: object) -> None:
        payload = arguments[1].payload  # type: ignore[attr-defined]
        seen.append(payload)
        if payload == b"1":
            run.documents.publish(PORCH, b"2")
            assert seen == [b"1"]
        publish(*arguments)

    monkeypatch.setattr(module, "publish", publish_slowly)
    run.documents.publish(PORCH, b"1")
    assert session.take() == [(PORCH, b"1"), (PORCH, b"2")]


def test_document_that_is_withdrawn_while_it_is_sent_first_is_cleared(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person may be removed in the moment in which their first document is sent."""
    session = run.connect()
    withdraw = threading.Thread(target=run.documents.withdraw, args=[PORCH])
    add = RetainedTopics.add

    def add_slowly(retained: RetainedTopics, *arguments: str) -> None:
        if PORCH in arguments and withdraw.ident is None:
            withdraw.start()
            # Without a lock the other thread ends here.
            withdraw.join(0.5)
        add(retained, *arguments)

    monkeypatch.setattr(RetainedTopics, "add", add_slowly)
    run.documents.publish(PORCH, b"1")
    withdraw.join()
    run.sender.tick()
    assert session.take() == [(PORCH, b"1"), (PORCH, b"")]
