"""The answers to ``/face_rec`` and ``/face_match``, the routes of the original project."""

from __future__ import annotations

from gateway.contract.base import Omitted, WireModel
from gateway.contract.faces import CandidateDocument, LandmarksDocument


class FaceRecDocument(WireModel):
    """The answer to ``/face_rec``. ``name``: of the best match, or ``Unknown``. ``candidates``: of an ambiguous face.

    ``facial_features``: the landmarks. ``face_locations``: top, right, bottom, left. Both are empty unless there is
    exactly one face. ``left_out``: the faces beyond the largest 32. ``annotated``: a JPEG in base64.
    """

    name: str
    candidates: Omitted[list[CandidateDocument]] = None
    facial_features: Omitted[LandmarksDocument] = None
    face_locations: Omitted[list[int]] = None
    left_out: Omitted[int] = None
    annotated: Omitted[str] = None


class FaceMatchDocument(WireModel):
    """The answer to ``/face_match``. ``match``: both pictures show the same person."""

    match: bool
