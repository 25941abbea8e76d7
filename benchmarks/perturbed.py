"""Frames of a camera that sees a person for a while, made of one photograph.

The head turns, the camera moves, and light, sharpness, noise and compression change. The motions were fitted to the
tracks of a film (``docs/design/measuring.md``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from gateway.model import Box

Kind = Literal["steady", "moving"]

Pixels = NDArray[np.uint8]
"""Shape (h, w, 3)."""

Floats = NDArray[np.float32]

MARGIN = 1.0
"""Width of the picture around a face, in boxes of the face on each side."""

MAX_SIDE_PX = 400
"""Longest side of a frame. A larger photograph would only take more time."""

HEAD_AXES = (0.6, 0.75)
"""Half axes of the head, an ellipsoid, in boxes of the face."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Standard deviations of the changes. ``turn``: degrees. ``picture``: a factor of all other changes."""

    turn: float
    picture: float


MOTIONS: dict[Kind, Motion] = {"steady": Motion(turn=3, picture=1.4), "moving": Motion(turn=18, picture=1.8)}


def make_frame(picture: Pixels, box: Box, motion: Motion, random: np.random.Generator) -> bytes:
    """Return a changed picture of the face in ``box`` as a JPEG."""
    part, place = _cut(picture, box)
    turned = _turn_head(part, place, random.normal(0, motion.turn), random.normal(0, 0.6 * motion.turn))
    lit = _change_light(_move_camera(turned, motion.picture, random), motion.picture, random)
    blurred = _reduce(lit, float(np.exp(-abs(random.normal(0, 0.4 * motion.picture)))))
    noisy = blurred + random.normal(0, 3 * motion.picture, blurred.shape)
    pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=int(random.integers(60, 92))))


def _cut(picture: Pixels, box: Box) -> tuple[Floats, Box]:
    """Return the part of the picture around a face, and the place of the face there."""
    side = max(box.right - box.left, box.bottom - box.top)
    margin = round(MARGIN * side)
    left, top = max(box.left - margin, 0), max(box.top - margin, 0)
    part = picture[top : box.bottom + margin, left : box.right + margin].astype(np.float32)
    scale = min(1.0, MAX_SIDE_PX / max(part.shape[:2]))
    if scale < 1:
        part = _as_floats(cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    corners = (box.left - left, box.top - top, box.right - left, box.bottom - top)
    return part, Box(*(round(scale * each) for each in corners))


def _turn_head(part: Floats, place: Box, yaw: float, pitch: float) -> Floats:
    """Turn the head by these degrees. The head is an ellipsoid whose surface is the picture."""
    height, width = part.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = HEAD_AXES[0] * (place.right - place.left), HEAD_AXES[1] * (place.bottom - place.top)
    u, v = (x - (place.left + place.right) / 2) / across, (y - (place.top + place.bottom) / 2) / down
    depth = np.sqrt(np.clip(1 - u * u - v * v, 0, None))
    inside = depth > 0
    from_x = x - across * _shift(u * inside, depth, np.deg2rad(yaw))
    from_y = y - down * _shift(v * inside, depth, np.deg2rad(pitch))
    return _as_floats(cv2.remap(part, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _shift(place: Floats, depth: Floats, angle: float) -> Floats:
    """Return the way of a point of the ellipsoid across the picture, in half axes."""
    return _as_floats(place * (np.cos(angle) - 1) + depth * np.sin(angle))


def _move_camera(part: Floats, factor: float, random: np.random.Generator) -> Floats:
    """Turn, scale, shift and tilt the picture a little."""
    height, width = part.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    angle, scale = np.deg2rad(random.normal(0, 4 * factor)), np.exp(random.normal(0, 0.06 * factor))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle, shift = corners.mean(axis=0), random.normal(0, 0.03 * factor * width, 2)
    tilt = random.normal(0, 0.02 * factor * width, (4, 2))
    moved = ((corners - middle) @ turn.T + middle + shift + tilt).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return _as_floats(cv2.warpPerspective(part, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))


def _change_light(part: Floats, factor: float, random: np.random.Generator) -> Floats:
    """Make one side of the picture darker, and all of it darker or brighter."""
    height, width = part.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = random.uniform(0, 2 * np.pi)
    ramp = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    lit = np.clip(part / 255 * (1 + random.normal(0, 0.5 * factor) * ramp[..., None]), 0, 1)
    return _as_floats(255 * lit ** np.exp(random.normal(0, 0.15 * factor)))


def _reduce(part: Floats, scale: float) -> Floats:
    """Reduce the picture and enlarge it again, as if the face was farther away."""
    height, width = part.shape[:2]
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return _as_floats(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _as_floats(values: object) -> Floats:
    return np.asarray(values, np.float32)
