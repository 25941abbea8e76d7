"""The documents about live cameras: events, the people on a camera, the camera of a person, the state of a camera."""

from __future__ import annotations

from typing import Literal

from gateway.contract.base import Omitted, VersionedModel, WireModel
from gateway.contract.faces import CandidateDocument, round_score, write_candidate
from gateway.model import Person
from gateway.model.sightings import (
    CameraState,
    EndReason,
    EventType,
    Outcome,
    PersonPresence,
    Presence,
    Sighting,
    SightingEvent,
)

# Home Assistant does not record the attributes of a larger event.
MAX_EVENT_BYTES = 16_000

# Zones come from Frigate. Without a limit an event could become too large.
MAX_ZONES = 20
MAX_ZONE_CHARACTERS = 64
MAX_CANDIDATES = 5

SNAPSHOT_PATH = "/api/v1/sightings/{}/picture"
"""The path of the picture of a sighting on the REST interface, with the id of the sighting."""


class PersonNameDocument(WireModel):
    """The id and the name of a person."""

    person: str
    name: str


class EventDocument(VersionedModel):
    """An event of a sighting. ``id``: of the event. ``timestamp``, ``since``: seconds since 1970.

    ``snapshot``: the path of the picture on the REST interface. ``previous``: for ``changed``, the person before.
    ``outcome``, ``duration`` (seconds) and ``reason``: for ``ended`` only. The other fields: as in Sighting.
    """

    event_type: EventType
    type: Literal["face"] = "face"
    id: str
    sighting: str
    visit: str
    camera: str
    name: str | None
    person: str | None
    unknown: int | None
    seen: int | None
    score: float | None
    threshold: float | None
    frames: int
    timestamp: float
    since: float
    box: tuple[int, int, int, int] | None
    snapshot: str
    candidates: Omitted[list[CandidateDocument]] = None
    previous: Omitted[PersonNameDocument] = None
    outcome: Omitted[Outcome] = None
    duration: Omitted[float] = None
    reason: Omitted[EndReason] = None
    frigate_event: Omitted[str] = None
    zones: Omitted[list[str]] = None


class PresentPersonDocument(PersonNameDocument):
    """A person who is on a camera, and since when."""

    since: float


class LastPresenceDocument(WireModel):
    """The last text other than ``nobody``, and when it was true."""

    text: str
    at: float


class PresentDocument(VersionedModel):
    """The people on a camera now. ``count``: with the strangers. ``text``: names, or ``nobody``."""

    count: int
    text: str
    people: list[PresentPersonDocument]
    strangers: int
    last: LastPresenceDocument | None


class PersonPresenceDocument(VersionedModel):
    """The camera on which a person is, or was last. ``camera``, ``since``, ``last_seen``: null if never seen."""

    person: str
    name: str
    present: bool
    camera: str | None
    since: float | None
    last_seen: float | None


class CameraStateDocument(VersionedModel):
    """The state of a camera. ``last_frame``: seconds since 1970, or null if no frame is known."""

    camera: str
    enabled: bool
    connected: bool
    last_frame: float | None


def write_event(event: SightingEvent) -> EventDocument:
    """Return the event. Its JSON has fewer bytes than MAX_EVENT_BYTES."""
    sighting, previous = event.sighting, event.previous
    ended = event.event_type == "ended"
    return EventDocument(
        event_type=event.event_type,
        id=event.id,
        sighting=sighting.id,
        visit=sighting.visit,
        camera=sighting.camera,
        name=sighting.person.name if sighting.person else None,
        person=sighting.person.slug if sighting.person else None,
        unknown=sighting.unknown,
        seen=sighting.seen,
        score=_score(sighting.score),
        threshold=_score(sighting.threshold),
        frames=sighting.frames,
        timestamp=round_time(event.timestamp),
        since=round_time(sighting.since),
        box=_box(sighting),
        snapshot=SNAPSHOT_PATH.format(sighting.id),
        candidates=[write_candidate(each) for each in sighting.candidates[:MAX_CANDIDATES]] or None,
        previous=_person(previous) if previous else None,
        outcome=sighting.outcome if ended else None,
        duration=round_time(sighting.duration) if ended else None,
        reason=sighting.reason if ended else None,
        frigate_event=sighting.frigate_event,
        zones=[each[:MAX_ZONE_CHARACTERS] for each in sighting.zones[:MAX_ZONES]] or None,
    )


def write_presence(presence: Presence) -> PresentDocument:
    last = None
    if presence.last_at is not None:
        last = LastPresenceDocument(text=presence.last_text, at=round_time(presence.last_at))
    return PresentDocument(
        count=presence.count,
        text=presence.text,
        people=write_present_people(presence),
        strangers=presence.strangers,
        last=last,
    )


def write_present_people(presence: Presence) -> list[PresentPersonDocument]:
    return [
        PresentPersonDocument(person=each.person.slug, name=each.person.name, since=round_time(each.since))
        for each in presence.people
    ]


def write_person_presence(presence: PersonPresence) -> PersonPresenceDocument:
    return PersonPresenceDocument(
        person=presence.person.slug,
        name=presence.person.name,
        present=presence.present,
        camera=presence.camera,
        since=_time(presence.since),
        last_seen=_time(presence.last_seen),
    )


def write_camera_state(state: CameraState) -> CameraStateDocument:
    return CameraStateDocument(
        camera=state.camera, enabled=state.enabled, connected=state.connected, last_frame=_time(state.last_frame)
    )


def round_time(seconds: float) -> float:
    """Return a time in whole milliseconds."""
    return round(seconds, 3)


def _person(person: Person) -> PersonNameDocument:
    return PersonNameDocument(person=person.slug, name=person.name)


def _box(sighting: Sighting) -> tuple[int, int, int, int] | None:
    box = sighting.box
    return None if box is None else (box.left, box.top, box.right, box.bottom)


def _score(score: float | None) -> float | None:
    return None if score is None else round_score(score)


def _time(seconds: float | None) -> float | None:
    return None if seconds is None else round_time(seconds)
