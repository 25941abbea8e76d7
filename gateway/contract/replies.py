"""The documents with the replies to recognition requests."""

from __future__ import annotations

import base64
from typing import Any, Literal

from gateway.contract.base import Omitted, WireModel
from gateway.contract.coded_warnings import CodedWarnings, warning_fields
from gateway.contract.faces import FaceDocument, JudgedFaceDocument, round_score, write_face, write_judged_face
from gateway.contract.head import Head, head_of
from gateway.model import Comparison, Detection, Enrolment, Hint, Image, Origin, Recognition, Reply, Timing

TimingDocument = dict[str, float]
"""Milliseconds by step."""


class ImageDocument(WireModel):
    width: int
    height: int
    bytes: int


class RecognitionCounts(WireModel):
    face: int
    match: int
    unknown: int
    left_out: Omitted[int] = None


class DetectionCounts(WireModel):
    face: int
    left_out: Omitted[int] = None


class RecognitionDocument(Head):
    """The reply to ``face_rec``, and the result of a live frame.

    ``sighting``: the id of the sighting that decided ``name``, ``person`` and ``score`` of a live frame.
    """

    status: Literal["ok"] = "ok"
    name: str | None
    person: str | None
    score: float | None
    threshold: float
    hint: Omitted[Hint] = None
    sighting: Omitted[str] = None
    faces: list[JudgedFaceDocument | FaceDocument]
    counts: RecognitionCounts
    image: ImageDocument
    annotated: Omitted[str] = None
    warnings: Omitted[list[str]] = None
    coded_warnings: CodedWarnings = None
    timing_ms: TimingDocument
    dropped: int


class ComparisonDocument(Head):
    """The reply to ``face_match`` and to ``verify``, which alone has a person."""

    status: Literal["ok"] = "ok"
    name: Omitted[str] = None
    person: Omitted[str] = None
    match: bool
    score: float
    threshold: float
    faces: list[FaceDocument]
    warnings: Omitted[list[str]] = None
    coded_warnings: CodedWarnings = None
    timing_ms: TimingDocument


class DetectionDocument(Head):
    """The reply to ``detect``."""

    status: Literal["ok"] = "ok"
    faces: list[FaceDocument]
    counts: DetectionCounts
    image: ImageDocument
    annotated: Omitted[str] = None
    warnings: Omitted[list[str]] = None
    coded_warnings: CodedWarnings = None
    timing_ms: TimingDocument


class EnrolmentDocument(Head):
    """The reply to ``enroll``."""

    status: Literal["ok"] = "ok"
    person: str
    name: str
    pictures: int
    warnings: list[str]
    coded_warnings: CodedWarnings = None
    timing_ms: TimingDocument


ReplyDocument = RecognitionDocument | ComparisonDocument | DetectionDocument | EnrolmentDocument


def write_reply(origin: Origin, operation: str, reply: Reply) -> ReplyDocument:
    match reply:
        case Recognition():
            return _recognition(origin, operation, reply)
        case Comparison():
            return _comparison(origin, operation, reply)
        case Detection():
            return _detection(origin, operation, reply)
        case Enrolment():
            return _enrolment(origin, operation, reply)


def _recognition(origin: Origin, operation: str, reply: Recognition) -> RecognitionDocument:
    best = reply.best
    verdicts = [face.judgement.verdict for face in reply.faces if face.judgement]
    return RecognitionDocument(
        **head_of(origin, operation),
        name=reply.person.name if reply.person else None,
        person=reply.person.slug if reply.person else None,
        score=round_score(best.score) if best and best.verdict else None,
        threshold=round_score(reply.threshold),
        hint=reply.hint,
        sighting=best.sighting.id if best and best.sighting else None,
        faces=[write_judged_face(face, face.judgement) if face.judgement else write_face(face) for face in reply.faces],
        counts=RecognitionCounts(
            face=len(reply.faces),
            match=verdicts.count("match"),
            unknown=verdicts.count("unknown"),
            left_out=reply.left_out or None,
        ),
        image=_image(reply.image),
        annotated=_base64(reply.annotated),
        **_warning_fields(reply),
        timing_ms=_timing(reply.timing),
        dropped=reply.dropped,
    )


def _comparison(origin: Origin, operation: str, reply: Comparison) -> ComparisonDocument:
    return ComparisonDocument(
        **head_of(origin, operation),
        name=reply.person.name if reply.person else None,
        person=reply.person.slug if reply.person else None,
        match=reply.match,
        score=round_score(reply.score),
        threshold=round_score(reply.threshold),
        faces=[write_face(face) for face in reply.faces],
        **_warning_fields(reply),
        timing_ms=_timing(reply.timing),
    )


def _detection(origin: Origin, operation: str, reply: Detection) -> DetectionDocument:
    return DetectionDocument(
        **head_of(origin, operation),
        faces=[write_face(face) for face in reply.faces],
        counts=DetectionCounts(face=len(reply.faces), left_out=reply.left_out or None),
        image=_image(reply.image),
        annotated=_base64(reply.annotated),
        **_warning_fields(reply),
        timing_ms=_timing(reply.timing),
    )


def _enrolment(origin: Origin, operation: str, reply: Enrolment) -> EnrolmentDocument:
    return EnrolmentDocument(
        **head_of(origin, operation),
        person=reply.person.slug,
        name=reply.person.name,
        pictures=reply.pictures,
        **warning_fields(reply.warnings),
        timing_ms=_timing(reply.timing),
    )


def _warning_fields(reply: Recognition | Comparison | Detection) -> dict[str, Any]:
    # Nearly no picture has any: the documents of small devices stay short.
    return warning_fields(reply.warnings) if reply.warnings else {}


def _image(image: Image) -> ImageDocument:
    return ImageDocument(width=image.width, height=image.height, bytes=image.bytes)


def _base64(picture: bytes | None) -> str | None:
    return None if picture is None else base64.b64encode(picture).decode()


def _timing(timing: Timing) -> TimingDocument:
    return {step: round(ms, 1) for step, ms in timing.items()}
