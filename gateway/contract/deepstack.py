"""The documents of DeepStack's face interface, with DeepStack's names of fields.

DeepStack measures a cosine, and its clients compare that with a line of their own, usually from 0.4 to 0.8. Facegate
decides by rates of error. So each number here lies beyond every usual line, on the side that Facegate decided for.
"""

from __future__ import annotations

from typing import Literal

from gateway.contract.base import Omitted, WireModel
from gateway.model import Box, Comparison, Detection, Face, Recognition, Timing

UNKNOWN_USERID = "unknown"
"""DeepStack's name of a person who is not registered."""

NAMED_CONFIDENCE = 0.8
"""The confidence of a face, or of a match, whose score is exactly the threshold."""

DIFFERENT_SIMILARITY = 0.4
"""The similarity of two faces whose score is just below the threshold."""

UNCONFIRMED_CONFIDENCE = 0.5
"""The confidence of a face that only the first stage of the detector saw. DeepStack leaves out faces below 0.55."""


class FoundFaceDocument(WireModel):
    """A face that was found. The corners of its box: pixels from the left and from the top."""

    confidence: float
    x_min: int
    y_min: int
    x_max: int
    y_max: int


class RecognisedFaceDocument(FoundFaceDocument):
    """A face that was compared with the registered people. ``userid``: a name, or UNKNOWN_USERID."""

    userid: str


class FoundFacesDocument(WireModel):
    """The faces of a picture. ``duration``: seconds."""

    success: Literal[True] = True
    predictions: list[FoundFaceDocument]
    duration: float


class RecognisedFacesDocument(WireModel):
    """The faces of a picture, with names. ``duration``: seconds."""

    success: Literal[True] = True
    predictions: list[RecognisedFaceDocument]
    duration: float


class SimilarityDocument(WireModel):
    """The comparison of two faces. ``similarity``: 0 to 1. ``duration``: seconds."""

    success: Literal[True] = True
    similarity: float
    duration: float


class RegisteredDocument(WireModel):
    success: Literal[True] = True
    message: Literal["face added", "face updated"]


class RegisteredPeopleDocument(WireModel):
    """The names of all registered people."""

    success: Literal[True] = True
    faces: list[str]


class DeletedDocument(WireModel):
    """Nobody has the given name now."""

    success: Literal[True] = True


class RefusalDocument(WireModel):
    """A request that failed. ``predictions``: empty, for the routes that return faces.

    Clients of these routes read ``predictions`` without a look at ``success``.
    """

    success: Literal[False] = False
    error: str
    predictions: Omitted[list[FoundFaceDocument]] = None


class VersionDocument(WireModel):
    """A version, with all fields that CodeProject.AI has. Blue Iris reads them before it uses a server."""

    major: int = 0
    minor: int = 0
    patch: int = 0
    preRelease: str = ""  # noqa: N815 (the name on the wire)
    securityUpdate: bool = False  # noqa: N815 (the name on the wire)
    build: int = 0
    file: str = ""
    releaseNotes: str = ""  # noqa: N815 (the name on the wire)


class UpdateDocument(WireModel):
    """The answer of CodeProject.AI about updates. Nobody needs a token for it, so it does not tell the version."""

    success: Literal[True] = True
    message: str = "Facegate looks for no updates"
    updateAvailable: Literal[False] = False  # noqa: N815 (the name on the wire)
    version: VersionDocument = VersionDocument()
    current: VersionDocument = VersionDocument()
    latest: VersionDocument = VersionDocument()


def write_found_faces(reply: Detection, min_confidence: float) -> FoundFacesDocument:
    """Return the faces with at least this confidence."""
    faces = [FoundFaceDocument(confidence=_found_confidence(face), **_corners(face.box)) for face in reply.faces]
    return FoundFacesDocument(
        predictions=[face for face in faces if face.confidence >= min_confidence], duration=_seconds(reply.timing)
    )


def write_recognised_faces(reply: Recognition, min_confidence: float) -> RecognisedFacesDocument:
    """Return all faces. A name with less than this confidence is left out, so that its face is unknown."""
    return RecognisedFacesDocument(
        predictions=[_recognised(face, reply.threshold, min_confidence) for face in reply.faces],
        duration=_seconds(reply.timing),
    )


def write_similarity(reply: Comparison) -> SimilarityDocument:
    similarity = named_confidence(reply.score, reply.threshold) if reply.match else _different_similarity(reply)
    return SimilarityDocument(similarity=similarity, duration=_seconds(reply.timing))


def named_confidence(score: float, threshold: float) -> float:
    """Return the confidence of a face with a name: from NAMED_CONFIDENCE at the threshold to 1 at the score 1."""
    share = (score - threshold) / (1 - threshold) if threshold < 1 else 1.0
    return round(NAMED_CONFIDENCE + (1 - NAMED_CONFIDENCE) * min(max(share, 0.0), 1.0), 4)


def _different_similarity(reply: Comparison) -> float:
    """Return a similarity from 0 at the score 0 to DIFFERENT_SIMILARITY, which it never reaches."""
    share = reply.score / reply.threshold if reply.threshold > 0 else 0.0
    # Two faces that are not one person must not reach a client's line at 0.4 by rounding.
    return min(round(DIFFERENT_SIMILARITY * share, 4), DIFFERENT_SIMILARITY - 0.0001)


def _recognised(face: Face, threshold: float, min_confidence: float) -> RecognisedFaceDocument:
    confidence = named_confidence(face.score, threshold)
    if face.person is None or confidence < min_confidence:
        return RecognisedFaceDocument(userid=UNKNOWN_USERID, confidence=0.0, **_corners(face.box))
    return RecognisedFaceDocument(userid=face.person.name, confidence=confidence, **_corners(face.box))


def _found_confidence(face: Face) -> float:
    return 1.0 if face.quality is None or face.quality.confirmed else UNCONFIRMED_CONFIDENCE


def _corners(box: Box) -> dict[str, int]:
    return {"x_min": box.left, "y_min": box.top, "x_max": box.right, "y_max": box.bottom}


def _seconds(timing: Timing) -> float:
    return round(timing.get("total", 0.0) / 1000, 4)
