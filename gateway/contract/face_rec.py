"""The answers to ``/face_rec`` and ``/face_match``, the routes of the original project."""

from __future__ import annotations

import base64
from typing import Literal

from gateway.contract.base import Omitted, WireModel
from gateway.contract.faces import CandidateDocument, LandmarksDocument, write_candidate
from gateway.model import Recognition, Verdict

UNKNOWN = "Unknown"
"""The name in an answer that names nobody."""


class FaceRecDocument(WireModel):
    """The answer to ``/face_rec``. ``name``: of the best match, or ``Unknown``. ``candidates``: of an ambiguous face.

    ``facial_features``: the landmarks. ``face_locations``: top, right, bottom, left. Both are empty unless there is
    exactly one face. ``left_out``: the faces beyond the largest 32. ``annotated``: a JPEG in base64.
    """

    name: str
    # The original project had only the fields name, facial_features and face_locations. Without the verdict, nobody can
    # tell a stranger from a picture without a face.
    verdict: Verdict | Literal["no_face"]
    candidates: Omitted[list[CandidateDocument]] = None
    facial_features: Omitted[LandmarksDocument] = None
    face_locations: Omitted[list[int]] = None
    left_out: Omitted[int] = None
    annotated: Omitted[str] = None


class FaceMatchDocument(WireModel):
    """The answer to ``/face_match``. ``match``: both pictures show the same person."""

    match: bool


def write_face_rec(reply: Recognition, *, features: bool, locations: bool) -> FaceRecDocument:
    """Return the answer, with the landmarks and the place of the only face on request."""
    best = reply.best
    candidates = best.judgement.candidates if best and best.judgement else ()
    only = reply.faces[0] if len(reply.faces) == 1 else None
    box = [only.box.top, only.box.right, only.box.bottom, only.box.left] if only else []
    return FaceRecDocument(
        name=reply.person.name if reply.person else UNKNOWN,
        verdict=(best.verdict if best else None) or "no_face",
        candidates=[write_candidate(each) for each in candidates] or None,
        facial_features=dict(only.landmarks or {} if only else {}) if features else None,
        face_locations=box if locations else None,
        left_out=reply.left_out or None,
        annotated=None if reply.annotated is None else base64.b64encode(reply.annotated).decode(),
    )
