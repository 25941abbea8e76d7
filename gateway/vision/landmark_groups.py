"""The names of landmarks: points grouped by the names of face_recognition."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model import Landmarks, Points

POINT_GROUPS_68: Mapping[str, tuple[int, ...]] = {
    "chin": (*range(17),),
    "left_eyebrow": (*range(17, 22),),
    "right_eyebrow": (*range(22, 27),),
    "nose_bridge": (*range(27, 31),),
    "nose_tip": (*range(31, 36),),
    "left_eye": (*range(36, 42),),
    "right_eye": (*range(42, 48),),
    "top_lip": (*range(48, 55), 64, 63, 62, 61, 60),
    "bottom_lip": (*range(54, 60), 48, 60, 67, 66, 65, 64),
}
"""Landmark groups and their point numbers, as in ``face_recognition.face_landmarks``. Each lip is a closed curve."""


def name_5_points(points: Points) -> Landmarks:
    """Group five points by the names of face_recognition. Its left eye is on the left of the picture."""
    *right_eye, left_outer, left_inner, nose = [(int(x), int(y)) for x, y in points]
    return {"nose_tip": [nose], "left_eye": [left_outer, left_inner], "right_eye": right_eye}


def name_68_points(points: Points) -> Landmarks:
    """Group 68 points by the names of face_recognition."""
    found = [(int(x), int(y)) for x, y in points]
    return {name: [found[n] for n in numbers] for name, numbers in POINT_GROUPS_68.items()}
