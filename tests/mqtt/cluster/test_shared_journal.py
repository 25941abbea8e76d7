"""The journal that replicas share: each topic with a retained message stands in it, also after its camera has moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from gateway.mqtt.announcements.documents import RetainedDocuments
from gateway.mqtt.announcements.sender import Sender
from gateway.mqtt.cluster.shared_journal import SharedRetainedTopics
from gateway.mqtt.retained import LIVE
from gateway.store.postgres.broker_notes import PostgresBrokerNotes
from gateway.store.postgres.database import PostgresDatabase
from tests.mqtt.announcements.sessions import ConfirmingSession

pytestmark = pytest.mark.extra

SNAPSHOT = "facegate/porch/snapshot"


class Owner:
    """The documents of a replica. ``mine``: the topics of its cameras."""

    def __init__(self, notes: PostgresBrokerNotes, *mine: str) -> None:
        self.mine = set(mine)
        self.sender = Sender(1000)
        self.documents = RetainedDocuments(
            LIVE, SharedRetainedTopics(notes), self.sender.send, lambda topic: topic in self.mine
        )
        self.sender.add(self.documents)
        self.session = ConfirmingSession()
        self.sender.start_session(self.session)

    def gain(self) -> None:
        """Own the camera, which shows a picture before the topics of earlier owners are read."""
        self.mine.add(SNAPSHOT)
        self.documents.publish(SNAPSHOT, b"a picture")
        self.documents.clear_earlier()

    def lose(self) -> None:
        self.mine.discard(SNAPSHOT)
        self.documents.release(SNAPSHOT)

    def clear(self) -> None:
        """Clear the topic at the broker, and forget it."""
        self.documents.withdraw(SNAPSHOT)
        self.session.confirm()
        self.sender.tick()


@pytest.fixture
def notes(postgres_url: str) -> Iterator[list[PostgresBrokerNotes]]:
    # This creates the tables.
    PostgresDatabase(postgres_url).close()
    with ExitStack() as stack:
        yield [stack.enter_context(closing(PostgresBrokerNotes(postgres_url))) for _ in range(2)]


def test_topic_of_a_camera_that_comes_back_is_in_the_journal(notes: list[PostgresBrokerNotes]) -> None:
    """Regression: its owner of before had it in memory, so it did not write it again, and nobody cleared it later."""
    one, two = (Owner(each) for each in notes)
    one.gain()
    one.lose()
    two.gain()
    two.clear()
    two.lose()
    assert notes[0].read_topics(LIVE) == []
    one.gain()
    assert notes[0].read_topics(LIVE) == [SNAPSHOT]


def test_topic_that_was_read_while_another_replica_had_it_is_in_the_journal(notes: list[PostgresBrokerNotes]) -> None:
    one, two = (Owner(each) for each in notes)
    two.gain()
    # This reads the topics of all replicas.
    one.documents.clear_earlier()
    two.clear()
    two.lose()
    one.gain()
    assert notes[0].read_topics(LIVE) == [SNAPSHOT]
