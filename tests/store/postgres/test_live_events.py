"""The last events of the cameras of all replicas, in a real PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from gateway.model import Box, Person
from gateway.model.people import Likeness
from gateway.model.sightings import Sighting, SightingEvent
from gateway.store.postgres.database import PostgresDatabase
from gateway.store.postgres.live_events import PostgresLiveEvents
from gateway.store.protocols.live_events import MAX_EVENTS

pytestmark = pytest.mark.extra

ADA, BEN, CY = Person("ada", "Ada Lovelace"), Person("ben", "Ben"), Person("cy", "Cy")
SIGHTING = Sighting(
    id="s1",
    visit="v1",
    camera="porch",
    since=1.5,
    last_seen=2.5,
    outcome="named",
    person=ADA,
    score=0.9,
    box=Box(1, 2, 3, 4),
    candidates=(Likeness(ADA, 0.9, 0.8), Likeness(CY, 0.5, 0.4)),
    zones=("drive",),
)
EVENT = SightingEvent(id="e1", event_type="changed", timestamp=2.5, sighting=SIGHTING, previous=BEN)

STRANGER = replace(SIGHTING, person=None, candidates=(), outcome="stranger", box=None)


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    with closing(PostgresDatabase(postgres_url)) as database:
        with database.transaction() as db:
            for number, person in enumerate((ADA, BEN, CY), 1):
                db.execute(
                    "INSERT INTO people (id, uid, slug, name, name_key, created, changed, revision)"
                    " VALUES (?, ?, ?, ?, ?, 0, 0, 0)",
                    (number, f"uid{number}", person.slug, person.name, person.name.lower()),
                )
        yield database


@pytest.fixture
def events(postgres_url: str, database: PostgresDatabase) -> Iterator[PostgresLiveEvents]:
    with closing(PostgresLiveEvents(postgres_url)) as events:
        yield events


def ids(events: PostgresLiveEvents, after: int = 0) -> list[str]:
    return [each.event.id for each in events.read(after)]


def test_event_is_read_with_the_present_names(events: PostgresLiveEvents, database: PostgresDatabase) -> None:
    events.add(EVENT)
    events.add(replace(EVENT, id="e2", sighting=STRANGER, previous=None))
    with database.transaction() as db:
        db.execute("UPDATE people SET name = 'Ada King' WHERE slug = 'ada'")
    renamed = Person("ada", "Ada King")
    changed = replace(SIGHTING, person=renamed, candidates=(Likeness(renamed, 0.9, 0.8), SIGHTING.candidates[1]))
    first, second = events.read(0)
    assert first.event == replace(EVENT, sighting=changed)
    assert second.event == replace(EVENT, id="e2", sighting=STRANGER, previous=None)
    assert first.number < second.number
    assert ids(events, first.number) == ["e2"]


@pytest.mark.parametrize("slug", ["ada", "ben", "cy"])
def test_event_goes_with_each_of_its_people(events: PostgresLiveEvents, database: PostgresDatabase, slug: str) -> None:
    events.add(EVENT)
    with database.transaction() as db:
        db.execute("DELETE FROM people WHERE slug = ?", (slug,))
    assert database.rows("SELECT * FROM live_events") == database.rows("SELECT * FROM live_event_people") == []
    # The owner of a camera may learn later of it.
    events.add(EVENT)
    assert ids(events) == []


def test_event_waits_for_a_removal_that_is_not_committed(
    events: PostgresLiveEvents, database: PostgresDatabase
) -> None:
    adding = threading.Thread(target=lambda: events.add(EVENT))
    with database.transaction() as db:
        db.execute("DELETE FROM people WHERE slug = 'ada'")
        adding.start()
    adding.join()
    assert ids(events) == []


def test_old_events_are_deleted(events: PostgresLiveEvents, database: PostgresDatabase) -> None:
    for number in range(MAX_EVENTS + 5):
        events.add(replace(EVENT, id=str(number)))
    events.trim()
    assert ids(events) == [str(number) for number in range(5, MAX_EVENTS + 5)]
    events.add(replace(EVENT, id="old", sighting=STRANGER, previous=None))
    with database.transaction() as db:
        db.execute("UPDATE live_events SET number = number - 3600000001 WHERE document LIKE '%\"old\"%'")
        # Within a change of people nothing is deleted: the two could wait for each other.
        events.trim()
    assert "old" in ids(events)
    events.trim()
    assert "old" not in ids(events)
