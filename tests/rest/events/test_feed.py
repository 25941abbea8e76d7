"""The states of the gateway as a whole on the event stream: nothing in them names a person who was removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.contract.base import WireModel
from gateway.contract.health import write_health
from gateway.model.caller import REST_CALLER
from gateway.rest.events.feed import StateFeed
from gateway.rest.events.hub import EventHub
from gateway.rest.events.streams import EventStreams
from tests.examples import descriptor
from tests.people.environment import PeopleEnvironment, open_environment, sample
from tests.rest.access.examples import HEALTH


@pytest.fixture
def env(tmp_path: Path) -> Iterator[PeopleEnvironment]:
    with open_environment(tmp_path) as env:
        yield env


class Feed:
    """The feed of the health, without its thread and without live cameras."""

    def __init__(self, env: PeopleEnvironment) -> None:
        self.env = env
        self.hub = EventHub(env.people.gallery.find_name)
        self.after_reading: Callable[[], object] = lambda: None
        updater = env.people.updater
        streams = EventStreams(self.hub, 1)
        self.feed = StateFeed(self.hub, streams, {"health": self.read}, lambda: updater.removal_count)

    def read(self) -> WireModel:
        document = write_health(replace(HEALTH, warnings=self.env.people.updater.warnings))
        self.after_reading()
        return document

    def health(self) -> bytes | None:
        """Return the health that a client would get now."""
        return next((each.data() for each in self.hub.states().entries), None)


@pytest.fixture
def feed(env: PeopleEnvironment) -> Feed:
    """A feed that has added a health whose warning names two people."""
    for name, picture in (("Alice", "a"), ("Ali", "b")):
        env.registry.enrol(name, [sample(picture, descriptor(1))], REST_CALLER)
    feed = Feed(env)
    feed.feed.look()
    found = feed.health()
    assert found is not None
    assert b"Alice (alice) and Ali (ali) look like one person" in found
    return feed


def test_health_names_no_erased_person_from_the_reply_on(env: PeopleEnvironment, feed: Feed) -> None:
    """Regression: only live cameras dropped it, so that without them it was stored until the next look."""
    env.registry.erase("ali", REST_CALLER)
    assert feed.health() is None
    feed.feed.look()
    assert b'"warnings":[]' in (feed.health() or b"")


def test_health_that_is_read_during_an_erasure_is_not_sent(env: PeopleEnvironment, feed: Feed) -> None:
    """Regression: the feed added it after the erasure had dropped the one before."""
    env.registry.rename("alice", "Alison", REST_CALLER)
    feed.after_reading = lambda: env.registry.erase("ali", REST_CALLER)
    feed.feed.look()
    assert feed.health() is None
    feed.after_reading = lambda: None
    feed.feed.look()
    assert b'"warnings":[]' in (feed.health() or b"")


def test_state_without_a_change_is_sent_once(feed: Feed) -> None:
    (before,) = feed.hub.states().entries
    feed.feed.look()
    assert feed.hub.states().entries == (before,)
