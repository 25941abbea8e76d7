"""The documents about faces, which are parts of replies."""

from __future__ import annotations

from gateway.contract.base import Omitted, WireModel
from gateway.model import Face, Judgement, Likeness, Quality, Verdict

LandmarksDocument = dict[str, list[tuple[int, int]]]


class QualityDocument(WireModel):
    """The quality of a face. ``pixels``: the smaller side of its box. ``yaw``, ``pitch``, ``roll``: degrees.

    ``confirmed``: whether the second stage of the detector saw the face too. The other fields: 0 to 1.
    """

    pixels: int
    brightness: float
    sharpness: float
    pose: float
    inside: float
    clean: float
    confirmed: bool
    yaw: Omitted[int] = None
    pitch: Omitted[int] = None
    roll: Omitted[int] = None


class CandidateDocument(WireModel):
    """A person that an ambiguous face may show."""

    name: str
    person: str
    score: float
    similarity: float


class FaceDocument(WireModel):
    """A face that was not compared with enrolled people. ``box``: left, top, right, bottom."""

    box: tuple[int, int, int, int]
    quality: Omitted[QualityDocument] = None
    landmarks: Omitted[LandmarksDocument] = None


class JudgedFaceDocument(WireModel):
    """A face that was compared with the enrolled people.

    ``track`` and ``sighting``: ids, for a face in a live frame. The verdict is that of this picture alone.
    """

    name: str | None
    person: str | None
    verdict: Verdict
    score: float
    similarity: float | None
    margin: float | None
    candidates: Omitted[list[CandidateDocument]] = None
    box: tuple[int, int, int, int]
    quality: Omitted[QualityDocument] = None
    landmarks: Omitted[LandmarksDocument] = None
    track: Omitted[str] = None
    sighting: Omitted[str] = None


def write_face(face: Face) -> FaceDocument:
    return FaceDocument(box=_box(face), quality=_quality(face.quality), landmarks=_landmarks(face))


def write_judged_face(face: Face, judgement: Judgement) -> JudgedFaceDocument:
    person = judgement.person
    return JudgedFaceDocument(
        name=person.name if person else None,
        person=person.slug if person else None,
        verdict=judgement.verdict,
        score=round_score(judgement.score),
        similarity=_similarity(judgement.similarity),
        margin=_similarity(judgement.margin),
        candidates=[write_candidate(each) for each in judgement.candidates] or None,
        box=_box(face),
        quality=_quality(face.quality),
        landmarks=_landmarks(face),
        track=face.track,
        sighting=face.sighting.id if face.sighting else None,
    )


def write_candidate(likeness: Likeness) -> CandidateDocument:
    """Return a person that an ambiguous face may show."""
    return CandidateDocument(
        name=likeness.person.name,
        person=likeness.person.slug,
        score=round_score(likeness.score),
        similarity=round(likeness.similarity, 4),
    )


def _box(face: Face) -> tuple[int, int, int, int]:
    return face.box.left, face.box.top, face.box.right, face.box.bottom


def _quality(quality: Quality | None) -> QualityDocument | None:
    return None if quality is None else QualityDocument.model_validate(quality, from_attributes=True)


def _landmarks(face: Face) -> LandmarksDocument | None:
    return None if face.landmarks is None else dict(face.landmarks)


def round_score(score: float) -> float:
    return round(score, 3)


def _similarity(similarity: float | None) -> float | None:
    return None if similarity is None else round(similarity, 4)
