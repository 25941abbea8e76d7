"""The documents of operations on cameras."""

from __future__ import annotations

from typing import Any

from gateway.contract.base import Omitted, WireModel
from gateway.contract.coded_warnings import CodedWarnings
from gateway.contract.faces import round_score
from gateway.contract.live import PresentPersonDocument, round_time, write_present_people
from gateway.contract.replies import ImageDocument
from gateway.model import Face, Recognition, Verdict
from gateway.model.cameras import CameraReport
from gateway.model.sightings import CameraState, Presence


class CameraDocument(WireModel):
    """A camera. ``enabled``: its own switch. ``connected``: pictures come in.

    ``last_frame``: seconds since 1970, or null if no frame is known. ``present``: a text, ``people``: the same people,
    who are there now. ``rate``: frames a second. ``delay_ms``: from the arrival of a frame to its result. ``hint``: why
    the last frame named nobody. These three are null if no frame came since the start.
    """

    camera: str
    enabled: bool
    connected: bool
    last_frame: float | None
    present: str
    people: list[PresentPersonDocument]
    strangers: int
    rate: float | None
    delay_ms: float | None
    hint: str | None


class CamerasDocument(WireModel):
    """A page of the list of cameras. ``enabled``: the switch for all cameras. Recognition needs both switches.

    ``known``: the number of all cameras; ``found``: of those whose names contain ``search``. ``next``: the value of
    ``after`` for the next page, or null.
    """

    enabled: bool
    cameras: list[CameraDocument]
    known: int
    found: int
    next: str | None


class ReasonDocument(WireModel):
    """A reason why frames named nobody. ``count``: since the start. ``last``: seconds since 1970."""

    reason: str
    count: int
    last: float


class SeenFaceDocument(WireModel):
    """A face of the last frame, with the decision about its sighting. ``box``: left, top, right, bottom."""

    box: tuple[int, int, int, int]
    name: str | None
    person: str | None
    verdict: Verdict | None
    score: float


class LastResultDocument(WireModel):
    """The result of the last frame. ``timestamp``: seconds since 1970."""

    timestamp: float
    name: str | None
    person: str | None
    threshold: float
    faces: list[SeenFaceDocument]
    image: ImageDocument


class CameraDetailDocument(CameraDocument):
    """A camera, and what its last frames showed. ``dropped``: frames that newer ones replaced.

    ``reasons``: why frames of the last ten minutes named nobody. ``last_result``: null if no frame is known.
    """

    dropped: int
    reasons: list[ReasonDocument]
    last_result: LastResultDocument | None


class SnapshotDocument(WireModel):
    """The last picture of a camera. ``timestamp``: seconds since 1970. ``picture``: a JPEG in base64.

    ``live``: true for the last frame, false for the picture of the last sighting. ``version``: of the JPEG.
    """

    camera: str
    timestamp: float
    live: bool
    picture: str
    version: str


class CameraSwitchDocument(WireModel):
    """The switch of a camera, or of all cameras: ``camera`` is null then. ``warnings``: the camera is not known yet."""

    camera: str | None
    enabled: bool
    warnings: Omitted[list[str]] = None
    coded_warnings: CodedWarnings = None


class ForgottenCameraDocument(WireModel):
    """The name of a camera that was forgotten."""

    camera: str


def write_camera(state: CameraState, presence: Presence, report: CameraReport | None) -> CameraDocument:
    return CameraDocument(**_fields(state, presence, report))


def write_camera_detail(state: CameraState, presence: Presence, report: CameraReport | None) -> CameraDetailDocument:
    reasons = report.reasons if report else ()
    return CameraDetailDocument(
        **_fields(state, presence, report),
        dropped=report.dropped if report else 0,
        reasons=[ReasonDocument(reason=each.reason, count=each.count, last=round_time(each.last)) for each in reasons],
        last_result=_last_result(report.result, report.result_at) if report and report.result else None,
    )


def _fields(state: CameraState, presence: Presence, report: CameraReport | None) -> dict[str, Any]:
    return {
        "camera": state.camera,
        "enabled": state.enabled,
        "connected": state.connected,
        "last_frame": None if state.last_frame is None else round_time(state.last_frame),
        "present": presence.text,
        "people": write_present_people(presence),
        "strangers": presence.strangers,
        "rate": report.rate if report else None,
        "delay_ms": report.delay_ms if report else None,
        "hint": report.hint if report else None,
    }


def _last_result(result: Recognition, timestamp: float) -> LastResultDocument:
    return LastResultDocument(
        timestamp=round_time(timestamp),
        name=result.person.name if result.person else None,
        person=result.person.slug if result.person else None,
        threshold=round_score(result.threshold),
        faces=[_seen_face(each) for each in result.faces],
        image=ImageDocument(width=result.image.width, height=result.image.height, bytes=result.image.bytes),
    )


def _seen_face(face: Face) -> SeenFaceDocument:
    return SeenFaceDocument(
        box=(face.box.left, face.box.top, face.box.right, face.box.bottom),
        name=face.person.name if face.person else None,
        person=face.person.slug if face.person else None,
        verdict=face.verdict,
        score=round_score(face.score),
    )
