"""The last events of the cameras of all replicas in PostgreSQL. Names are only in the table of people."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from gateway.model import Box, Person
from gateway.model.people import Likeness
from gateway.model.sightings import Sighting, SightingEvent
from gateway.store.postgres.single_connection import SingleConnection
from gateway.store.postgres.statements import WRITE_LOCK
from gateway.store.protocols.live_events import KEEP_S, MAX_EVENTS, NumberedEvent

log = logging.getLogger(__name__)

_ADD = "SELECT add_live_event($1, $2::text[])"
_READ = f"""
SELECT number, document, array_remove(array_agg(slug ORDER BY place), NULL),
    array_remove(array_agg(name ORDER BY place), NULL)
FROM (SELECT number, document FROM live_events WHERE number > $1 ORDER BY number LIMIT {MAX_EVENTS}) AS found
LEFT JOIN live_event_people ON event = number LEFT JOIN people ON people.id = person
GROUP BY number, document ORDER BY number
"""  # noqa: S608 (a constant)
# Only while nobody changes people: a removal deletes rows of these tables in another order, and one would fail.
_TRIM = f"""
WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock({WRITE_LOCK}) AS is_free)
DELETE FROM live_events WHERE (SELECT is_free FROM turn) AND number <= greatest(
    (SELECT number FROM live_events ORDER BY number DESC OFFSET {MAX_EVENTS} LIMIT 1),
    (extract(epoch FROM clock_timestamp()) - {KEEP_S:g})::bigint * 1000000
)
"""  # noqa: S608 (constants)


class PostgresLiveEvents:
    """The table of events. Implements LiveEvents."""

    def __init__(self, url: str) -> None:
        """``url``: the address of the database. Raise StartError if it is no address. The database may be away."""
        self._connection = SingleConnection(url)

    def add(self, event: SightingEvent) -> None:
        document, people = _write(event)
        self._connection.run(_ADD, document, people)

    def read(self, after: int) -> Sequence[NumberedEvent]:
        return list(_read_all(self._connection.run(_READ, after)))

    def trim(self) -> None:
        self._connection.run(_TRIM)

    def close(self) -> None:
        self._connection.close()


def _write(event: SightingEvent) -> tuple[str, list[str]]:
    """Return the event as JSON without people, and the slugs of the people. The JSON has their places in that list."""
    sighting = event.sighting
    named = [sighting.person, event.previous, *(each.person for each in sighting.candidates)]
    people = list(dict.fromkeys(each.slug for each in named if each is not None))
    document = {
        "id": event.id,
        "event_type": event.event_type,
        "timestamp": event.timestamp,
        "previous": None if event.previous is None else people.index(event.previous.slug),
        "person": None if sighting.person is None else people.index(sighting.person.slug),
        "candidates": [[people.index(each.person.slug), each.score, each.similarity] for each in sighting.candidates],
        "people": len(people),
        "sighting": asdict(replace(sighting, person=None, candidates=())),
    }
    return json.dumps(document), people


def _read_all(rows: Sequence[tuple[Any, ...]]) -> Iterator[NumberedEvent]:
    for number, text, slugs, names in rows:
        try:
            document = json.loads(text)
            # An erasure that is not finished has removed a person.
            if document["people"] == len(slugs):
                yield NumberedEvent(number, _read(document, [*map(Person, slugs, names)]))
        # Another version of the gateway may write other fields.
        except (KeyError, TypeError, ValueError) as error:
            log.debug("an event of another replica cannot be read: %s", error)


def _read(document: dict[str, Any], people: Sequence[Person]) -> SightingEvent:
    fields, person, previous = document["sighting"], document["person"], document["previous"]
    sighting = Sighting(
        **{
            **fields,
            "box": None if fields["box"] is None else Box(**fields["box"]),
            "zones": tuple(fields["zones"]),
            "person": None if person is None else people[person],
            "candidates": tuple(Likeness(people[place], *rest) for place, *rest in document["candidates"]),
        }
    )
    return SightingEvent(
        id=document["id"],
        event_type=document["event_type"],
        timestamp=document["timestamp"],
        sighting=sighting,
        previous=None if previous is None else people[previous],
    )
