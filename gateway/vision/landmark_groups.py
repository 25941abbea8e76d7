"""The names of landmarks: points grouped by the names of face_recognition, and the points of the mesh."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model import Landmarks, Points
from gateway.vision.engine import MeshPoints

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

MESH_POINTS_68 = (
    # The jaw, from temple to temple.
    *(127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356),
    # The eyebrows.
    *(70, 63, 105, 66, 107),
    *(336, 296, 334, 293, 300),
    # The bridge of the nose, and its base.
    *(168, 197, 5, 4),
    *(98, 97, 2, 326, 327),
    # The eyes, from the left corner over the upper lid.
    *(33, 160, 158, 133, 153, 144),
    *(362, 385, 387, 263, 373, 380),
    # The outer and the inner edge of the lips, from the left corner over the upper lip.
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
"""The point of the mesh for each of the 68 points.

Chosen by the meaning of the 68 points, not fitted to their model. A corner or a middle is the point of the mesh that
is drawn there. The points between them lie on the mesh's line along the jaw, brow, eye or lip. The jaw's are nearest to
equal steps along this line in the mean mesh of 891 press photographs. The right half mirrors the left half.

``python -m benchmarks.landmarks`` measures the distance to dlib's points.
"""

MESH_GROUP = "mesh"
"""The name of the group with all points of the mesh."""


def name_5_points(points: Points) -> Landmarks:
    """Group five points by the names of face_recognition. Its left eye is on the left of the picture."""
    *right_eye, left_outer, left_inner, nose = [(int(x), int(y)) for x, y in points]
    return {"nose_tip": [nose], "left_eye": [left_outer, left_inner], "right_eye": right_eye}


def name_68_points(points: Points) -> Landmarks:
    """Group 68 points by the names of face_recognition."""
    found = [(round(float(x)), round(float(y))) for x, y in points]
    return {name: [found[n] for n in numbers] for name, numbers in POINT_GROUPS_68.items()}


def name_mesh_points(mesh: MeshPoints) -> Landmarks:
    """Return the points of the mesh as one group, in the mesh's order."""
    return {MESH_GROUP: [(round(float(x)), round(float(y))) for x, y, _ in mesh]}
