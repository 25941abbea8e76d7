"""The verdict, the plain text of an answer. Its first word decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_sim.repetition import TEMPORARY_CODES

PROBLEMS = frozenset({"too_small", "too_dark", "blurred", "turned", "cut_off", "compressed"})
"""The reasons why a face is not seen well enough to be named."""

HINTS = PROBLEMS | {"undecided"}


def is_temporary(verdict: str) -> bool:
    """Return whether the request may be sent again after this verdict."""
    word, _, rest = verdict.partition(" ")
    return word in TEMPORARY_CODES or (word == "error" and rest in TEMPORARY_CODES)


def hint(verdict: str) -> str | None:
    """Return the reason why one more picture may give a better answer, or None if none may."""
    word, _, rest = verdict.partition(" ")
    if word in PROBLEMS:
        return word
    return rest if word in {"unknown", "ambiguous", "no_face"} and rest in HINTS else None


def first_word(data: Mapping[str, Any]) -> str | None:
    """Return the first word of the verdict text for this document, or None if it is unknown."""
    if data.get("status") == "error":
        return {"no_face": "no_face", "busy": "busy"}.get(str(data.get("code")), "error")
    match data.get("op"):
        case "face_match" | "verify":
            return "same" if data.get("match") else "different"
        case "detect":
            return "faces" if data.get("faces") else "no_face"
        case "enroll":
            return "enrolled"
        case "face_rec":
            return _recognised(data)
        case _:
            return None


def _recognised(data: Mapping[str, Any]) -> str:
    faces: Sequence[Mapping[str, Any]] = data.get("faces") or []
    if data.get("name") is not None:
        return "match"
    if not faces:
        return "no_face"
    return str(max(faces, key=_area)["verdict"])


def _area(face: Mapping[str, Any]) -> float:
    left, top, right, bottom = face["box"]
    return float((right - left) * (bottom - top))
