"""The documents about live cameras, as they are on the wires."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from gateway.contract.base import VersionedModel, dump
from gateway.contract.live import (
    MAX_EVENT_BYTES,
    CameraStateDocument,
    EventDocument,
    PersonPresenceDocument,
    PresentDocument,
    write_camera_state,
    write_event,
    write_person_presence,
    write_presence,
)
from gateway.contract.schemas import json_schemas
from gateway.model import Box, Likeness, Person
from gateway.model.names import MAX_ID, MAX_NAME
from gateway.model.sightings import (
    CameraState,
    EventType,
    PersonPresence,
    Presence,
    PresentPerson,
    Sighting,
    SightingEvent,
)

ADA, JOSE = Person("ada_lovelace", "Ada Lovelace"), Person("jose", "José")
SIGHTING = Sighting(
    id="s1",
    visit="v1",
    camera="porch",
    since=1790000000.1234,
    last_seen=1790000012.5,
    outcome="named",
    person=ADA,
    score=0.83333,
    threshold=0.52,
    frames=5,
    box=Box(412, 88, 530, 206),
)
RECOGNISED = SightingEvent(id="e1", event_type="recognised", timestamp=1790000001.5555, sighting=SIGHTING)


def written(document: VersionedModel) -> dict[str, Any]:
    """Return the document as a client reads it."""
    content: dict[str, Any] = json.loads(dump(document))
    return content


def test_event_of_a_known_person_has_the_fields_of_the_contract() -> None:
    assert written(write_event(RECOGNISED)) == {
        "schema": 1,
        "event_type": "recognised",
        "type": "face",
        "id": "e1",
        "sighting": "s1",
        "visit": "v1",
        "camera": "porch",
        "name": "Ada Lovelace",
        "person": "ada_lovelace",
        "unknown": None,
        "seen": None,
        "score": 0.833,
        "threshold": 0.52,
        "frames": 5,
        "timestamp": 1790000001.556,
        "since": 1790000000.123,
        "box": [412, 88, 530, 206],
        "snapshot": "/api/v1/sightings/s1/picture",
    }


def test_event_of_a_stranger_has_the_group_and_the_number_of_its_visits() -> None:
    stranger = replace(SIGHTING, outcome="stranger", person=None, unknown=3, seen=5)
    document = written(write_event(replace(RECOGNISED, event_type="stranger", sighting=stranger)))
    assert (document["name"], document["person"], document["unknown"], document["seen"]) == (None, None, 3, 5)


def test_ended_event_says_how_long_how_and_why() -> None:
    ended = replace(SIGHTING, ended=1790000020.0, reason="left")
    document = written(write_event(replace(RECOGNISED, event_type="ended", sighting=ended)))
    assert (document["outcome"], document["duration"], document["reason"]) == ("named", 12.377, "left")


def test_changed_event_names_the_person_before() -> None:
    document = written(write_event(replace(RECOGNISED, event_type="changed", previous=JOSE)))
    assert document["previous"] == {"person": "jose", "name": "José"}


def test_event_of_a_picture_of_frigate_has_its_event_and_zones() -> None:
    sighting = replace(SIGHTING, frigate_event="1790000000.1-abc", zones=("steps", "door"))
    document = written(write_event(replace(RECOGNISED, sighting=sighting)))
    assert (document["frigate_event"], document["zones"]) == ("1790000000.1-abc", ["steps", "door"])


def test_largest_event_has_fewer_bytes_than_the_limit() -> None:
    """Home Assistant does not record larger attributes."""
    longest = Person("a" * MAX_ID, "\N{GRINNING FACE}" * MAX_NAME)
    sighting = replace(
        SIGHTING,
        id="s" * 64,
        camera="c" * 64,
        outcome="ambiguous",
        person=longest,
        candidates=(Likeness(longest, 0.123, 0.1234),) * 50,
        frigate_event="f" * 64,
        zones=("\N{GRINNING FACE}" * 200,) * 200,
        ended=1.0,
        reason="camera_lost",
    )
    event = SightingEvent(id="e" * 64, event_type="ended", timestamp=1e9, sighting=sighting, previous=longest)
    assert len(dump(write_event(event))) < MAX_EVENT_BYTES


def test_presence_lists_people_and_strangers() -> None:
    presence = Presence(
        camera="porch", people=(PresentPerson(ADA, 1790000000.5),), strangers=1, last_text="José", last_at=1789999999.0
    )
    assert written(write_presence(presence)) == {
        "schema": 1,
        "count": 2,
        "text": "Ada Lovelace, 1 stranger",
        "people": [{"person": "ada_lovelace", "name": "Ada Lovelace", "since": 1790000000.5}],
        "strangers": 1,
        "last": {"text": "José", "at": 1789999999.0},
    }


def test_presence_of_nobody_has_the_text_nobody() -> None:
    document = written(write_presence(Presence(camera="porch")))
    assert document == {"schema": 1, "count": 0, "text": "nobody", "people": [], "strangers": 0, "last": None}


def test_presence_of_a_person_names_the_camera() -> None:
    presence = PersonPresence(person=ADA, present=True, camera="porch", since=1790000000.5, last_seen=1790000002.0)
    assert written(write_person_presence(presence)) == {
        "schema": 1,
        "person": "ada_lovelace",
        "name": "Ada Lovelace",
        "present": True,
        "camera": "porch",
        "since": 1790000000.5,
        "last_seen": 1790000002.0,
    }


def test_state_of_a_camera_without_frames_has_no_time_of_the_last_one() -> None:
    assert written(write_camera_state(CameraState(camera="porch", enabled=False))) == {
        "schema": 1,
        "camera": "porch",
        "enabled": False,
        "connected": False,
        "last_frame": None,
    }


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("event", EventDocument),
        ("present", PresentDocument),
        ("person", PersonPresenceDocument),
        ("camera/state", CameraStateDocument),
    ],
)
def test_schema_of_a_document_is_closed(name: str, model: type[VersionedModel]) -> None:
    schema = json_schemas()[name]
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert list(schema["properties"]) == [field.alias or each for each, field in model.model_fields.items()]


def test_schema_of_an_event_lists_the_types_of_events() -> None:
    schema = json_schemas()["event"]["properties"]["event_type"]
    assert schema["enum"] == list(get_args(EventType)) == TypeAdapter(EventType).json_schema()["enum"]
