"""The documents of the event stream. ``docs/reference/events.md`` describes the stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gateway.contract.base import Omitted, VersionedModel, WireModel
from gateway.contract.faces import round_score
from gateway.contract.health import HealthDocument
from gateway.contract.live import CameraStateDocument, EventDocument, PresentDocument, round_time, write_presence
from gateway.contract.replies import TimingDocument
from gateway.errors import GatewayError
from gateway.model import Face, Hint, Recognition, Request, Verdict
from gateway.model.sightings import Presence

EventKind = Literal["result", "sighting", "present", "camera", "people", "unknowns", "health"]
"""The kinds of events that a client may choose."""

ResetReason = Literal["new", "unknown_id", "lost"]


class ResetDocument(VersionedModel):
    """The beginning of a stream that does not continue an earlier one: earlier knowledge may be out of date.

    ``new``: no id was given. ``unknown_id``: the id is of another run of the gateway. ``lost``: some events are gone.
    """

    reason: ResetReason


class ResultFaceDocument(WireModel):
    """A face in a live frame, with the decision of its sighting. ``box``: left, top, right, bottom."""

    box: tuple[int, int, int, int]
    name: str | None
    person: str | None
    verdict: Verdict | None
    score: float
    track: str | None
    sighting: str | None


class FrameSizeDocument(WireModel):
    """The size of a frame in pixels."""

    width: int
    height: int


class ResultDocument(VersionedModel):
    """The result of a live frame in short. The fields have the same meaning as in RecognitionDocument.

    ``unchanged``: the scene is that of the frame before.
    """

    camera: str
    timestamp: float
    name: str | None
    person: str | None
    score: float | None
    threshold: float
    hint: Omitted[Hint] = None
    faces: list[ResultFaceDocument]
    image: FrameSizeDocument
    unchanged: bool
    dropped: int
    timing_ms: TimingDocument


class FailedResultDocument(VersionedModel):
    """A live frame that got an error. ``error``: its code. ``detail``: the message."""

    camera: str
    timestamp: float
    error: str
    detail: str


class PresentEventDocument(PresentDocument):
    """The people on a camera now."""

    camera: str


class SwitchEventDocument(VersionedModel):
    """The switch for all cameras."""

    camera: None = None
    enabled: bool


class ForgottenCameraEventDocument(VersionedModel):
    """A camera that was forgotten."""

    camera: str
    forgotten: Literal[True] = True


class PeopleEventDocument(VersionedModel):
    """The enrolled people or their pictures have changed. ``known``: the number of people.

    ``revision``: a number that differs after each change.
    """

    known: int
    revision: int


class UnknownsEventDocument(VersionedModel):
    """The groups of unknown faces have changed. ``waiting``: the number of groups that wait for a name.

    ``revision``: a number that differs after each change.
    """

    waiting: int
    revision: int


EVENT_DOCUMENTS: Mapping[EventKind | Literal["reset"], tuple[type[WireModel], ...]] = {
    "reset": (ResetDocument,),
    "result": (ResultDocument, FailedResultDocument),
    "sighting": (EventDocument,),
    "present": (PresentEventDocument,),
    "camera": (CameraStateDocument, SwitchEventDocument, ForgottenCameraEventDocument),
    "people": (PeopleEventDocument,),
    "unknowns": (UnknownsEventDocument,),
    "health": (HealthDocument,),
}
"""The documents of each kind of event."""


def write_result(request: Request, result: Recognition) -> ResultDocument:
    """Return the result of a live frame in short. The request must come from a camera."""
    assert request.origin.camera is not None
    best = result.best
    return ResultDocument(
        camera=request.origin.camera,
        timestamp=round_time(request.origin.timestamp),
        name=result.person.name if result.person else None,
        person=result.person.slug if result.person else None,
        score=round_score(best.score) if best and best.verdict else None,
        threshold=round_score(result.threshold),
        hint=result.hint,
        faces=[_write_face(face) for face in result.faces],
        image=FrameSizeDocument(width=result.image.width, height=result.image.height),
        unchanged=result.unchanged,
        dropped=result.dropped,
        timing_ms={step: round(ms, 1) for step, ms in result.timing.items()},
    )


def write_failed_result(request: Request, error: GatewayError) -> FailedResultDocument:
    """Return the error of a live frame. The request must come from a camera."""
    assert request.origin.camera is not None
    return FailedResultDocument(
        camera=request.origin.camera,
        timestamp=round_time(request.origin.timestamp),
        error=error.code,
        detail=str(error),
    )


def write_present_event(presence: Presence) -> PresentEventDocument:
    """Return the people on a camera now."""
    return PresentEventDocument(**write_presence(presence).document(), camera=presence.camera)


def _write_face(face: Face) -> ResultFaceDocument:
    box, person = face.box, face.person
    return ResultFaceDocument(
        box=(box.left, box.top, box.right, box.bottom),
        name=person.name if person else None,
        person=person.slug if person else None,
        verdict=face.verdict,
        score=round_score(face.score),
        track=face.track,
        sighting=face.sighting.id if face.sighting else None,
    )
