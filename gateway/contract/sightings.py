"""The documents of operations on sightings."""

from __future__ import annotations

from typing import Any

from gateway.contract.base import Omitted, WireModel
from gateway.contract.coded_warnings import CodedWarnings
from gateway.contract.faces import CandidateDocument, round_score, write_candidate
from gateway.contract.live import SNAPSHOT_PATH, round_time
from gateway.model.sightings import EndReason, Outcome, Sighting


class SightingDocument(WireModel):
    """A sighting. ``since``, ``last_seen``, ``ended``: seconds since 1970; ``duration``: seconds.

    ``snapshot``: the path of the picture on the REST interface. ``ended``, ``reason``: null while the sighting lasts.
    The other fields: as in the event of a sighting.
    """

    sighting: str
    visit: str
    camera: str
    outcome: Outcome
    name: str | None
    person: str | None
    unknown: int | None
    seen: int | None
    score: float | None
    threshold: float | None
    frames: int
    since: float
    last_seen: float
    duration: float
    ended: float | None
    reason: EndReason | None
    ignored: bool
    snapshot: str
    candidates: Omitted[list[CandidateDocument]] = None
    frigate_event: Omitted[str] = None
    zones: Omitted[list[str]] = None


class SightingsDocument(WireModel):
    """A page of sightings, the newest first. ``next``: the value of ``before`` for the next page, or null."""

    sightings: list[SightingDocument]
    next: str | None


class SightingPictureDocument(SightingDocument):
    """A sighting with its picture. ``picture``: a JPEG in base64, or null if none is stored."""

    picture: str | None


class CorrectedSightingDocument(SightingDocument):
    """A sighting after a correction.

    ``picture``: the id of the picture that was added to the person ``picture_of``, or null if none was added. The
    operation ``people/remove_picture`` takes it back. ``warnings``: doubts about the picture.
    """

    picture: str | None
    picture_of: str
    warnings: list[str]
    coded_warnings: CodedWarnings = None


def write_sighting(sighting: Sighting) -> SightingDocument:
    return SightingDocument(**sighting_fields(sighting))


def sighting_fields(sighting: Sighting) -> dict[str, Any]:
    """Return the fields of the document of a sighting."""
    person = sighting.person
    return {
        "sighting": sighting.id,
        "visit": sighting.visit,
        "camera": sighting.camera,
        "outcome": sighting.outcome,
        "name": person.name if person else None,
        "person": person.slug if person else None,
        "unknown": sighting.unknown,
        "seen": sighting.seen,
        "score": None if sighting.score is None else round_score(sighting.score),
        "threshold": None if sighting.threshold is None else round_score(sighting.threshold),
        "frames": sighting.frames,
        "since": round_time(sighting.since),
        "last_seen": round_time(sighting.last_seen),
        "duration": round_time(sighting.duration),
        "ended": None if sighting.ended is None else round_time(sighting.ended),
        "reason": sighting.reason,
        "ignored": sighting.ignored,
        "snapshot": SNAPSHOT_PATH.format(sighting.id),
        "candidates": [write_candidate(each) for each in sighting.candidates] or None,
        "frigate_event": sighting.frigate_event,
        "zones": list(sighting.zones) or None,
    }
