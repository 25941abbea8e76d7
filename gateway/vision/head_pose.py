"""The direction in which a head looks: yaw, pitch and roll, measured from the mesh of a face.

A head that looks into the camera has three angles of 0. From there it nods (pitch), turns (yaw), and leans (roll).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.model import Points
from gateway.vision.engine import MeshPoints

LEFT_POINTS = (33, 133, 127, 234, 93, 50, 105)
RIGHT_POINTS = (263, 362, 356, 454, 323, 280, 334)
"""Points of the mesh on both sides of the face: eyes, temples, cheeks and brows. Left and right are of the picture.

The mouth is left out, because it moves.
"""

UPPER_POINTS, LOWER_POINTS = (10, 151, 9, 8), (2, 94, 164, 0)
"""Points of the mesh on the forehead, and between nose and mouth. The jaw is left out, because it moves."""

FRONTAL_SLANT = 5.0
"""Pitch of the line from the upper to the lower points of a face that looks straight ahead: the lips are in front.

The median of 445 press photographs (LFW).
"""


@dataclass(frozen=True, slots=True)
class HeadPose:
    """The direction of a head, in whole degrees.

    ``yaw``: above 0 if the face looks to the right side of the picture. ``pitch``: above 0 if it looks up. ``roll``:
    from -180 to 180, above 0 if the head leans clockwise in the picture; with 90 the forehead points to the right.
    """

    yaw: int
    pitch: int
    roll: int


def measure_head_pose(mesh: MeshPoints) -> HeadPose:
    """Return the direction of the head."""
    # The axes are those of the picture: x to the right, y down, and the depth away from the camera.
    across = _unit(mesh[list(RIGHT_POINTS)].mean(axis=0) - mesh[list(LEFT_POINTS)].mean(axis=0))
    down = mesh[list(LOWER_POINTS)].mean(axis=0) - mesh[list(UPPER_POINTS)].mean(axis=0)
    roll = roll_of_mesh(mesh)
    # The direction down of a face with this yaw and roll that does not nod, and its direction away from the camera.
    level = np.array([-math.sin(roll), math.cos(roll), 0])
    away = np.cross(across, level)
    pitch = math.degrees(math.atan2(-down @ away, down @ level)) - FRONTAL_SLANT
    return HeadPose(round(math.degrees(math.asin(across[2]))), round(pitch), round(math.degrees(roll)))


def roll_of_mesh(mesh: MeshPoints) -> float:
    """Return the roll of a face in radians, clockwise."""
    x, y, _ = mesh[list(RIGHT_POINTS)].mean(axis=0) - mesh[list(LEFT_POINTS)].mean(axis=0)
    return math.atan2(y, x)


def roll_of_points(points: Points) -> float:
    """Return the roll of a face in radians, clockwise. ``points``: the five points of its eyes and its nose."""
    x, y = points[:2].mean(axis=0) - points[2:4].mean(axis=0)
    return math.atan2(y, x)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    # Rounding must not make a component larger than 1.
    found: NDArray[np.float32] = np.clip(vector / max(1e-12, float(np.linalg.norm(vector))), -1, 1)
    return found
