"""The plain text beside an answer: its first word decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from device_sim.repeat import PASSING


def is_passing(verdict: str) -> bool:
    word, _, rest = verdict.partition(" ")
    return word in PASSING or (word == "error" and rest in PASSING)


def first_word(data: Mapping[str, Any]) -> str | None:
    """The word with which the verdict text beside this document begins; None where it cannot be told."""
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
