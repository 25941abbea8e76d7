"""Face quality: size, brightness, sharpness, pose, compression, and how much of the face is inside the picture.

The constants were chosen on 700 faces: portraits, press photographs (LFW), groups, and a film with people in profile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.model import Box, Points, Quality
from gateway.vision.decoding.decode import Picture

LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in the luma (ITU-R BT.601)."""

CORE_RANGE_PX = slice(30, 120)
"""Rows and columns of the chip (of 150) from the eyebrows to the lips, and slightly beyond the eyes."""
BOX_RANGE_PX = slice(8, 142)
"""Rows and columns of the chip that the detector's box covers: 134 in the median."""

CHIP_POINTS = np.array([0.8596 + 0.2135j, 0.6461 + 0.2290j, 0.1206 + 0.2137j, 0.3341 + 0.2291j, 0.4901 + 0.6278j])
"""Places of the five points in a chip of side 1 without padding, as complex numbers x + iy.

From dlib's ``get_face_chip_details``.
"""
CHIP_PADDING = 0.25

FINE_BLUR_PX, COARSE_BLUR_PX = 1.0, 3.0
"""Sigmas of the two Gaussian blurs that are compared. All blurs here are in pixels of the chip."""
SHARPNESS_1_BLUR_PX, SHARPNESS_0_BLUR_PX = 1.2, 4.7
"""Estimated blurs that give sharpness 1 and sharpness 0.

Portraits had an estimate of 1.4 (0.4 to 2.2). Blurred with a further sigma of 4, they had 4.6.
"""
MIN_GRADIENT_ENERGY = 1e-6
"""Mean squares of gradients below this value are rounding errors of float32.

Rounding differs between processors; the largest value found was 1e-10. One pixel that differs by one level makes 9e-6.
"""

MAX_SHARPNESS_GAP = 0.3
"""Largest difference between a face's sharpness as a whole and in one direction that does not reduce its sharpness.

The largest gap of 30 press photographs was 0.22. With motion blur over an eighth of the face the median was 0.5.
"""

JPEG_BLOCK_PX = 8
"""Side of a block in JPEG compression."""
MAX_CLEAN_SIDE_PX = 256
"""Side of the largest part of a face in which compression is measured: its middle. The limit bounds the time."""

FRONTAL_NOSE_DROP = 0.77
"""Distance of the nose below the eyes, divided by the distance between the eyes.

This is the median of frontal faces, and also the value of CHIP_POINTS.
"""
MAX_YAW, MAX_PITCH, MAX_SQUINT = 0.4, 0.45, 0.25
"""Values that alone make the pose 0. Nine of ten press photographs stay below 0.17, 0.15 and 0.08."""


def measure_quality(picture: Picture, box: Box, points: Points, chip: Picture) -> Quality:
    """Return the quality of a face.

    ``picture``: (height, width, 3) uint8 RGB. ``box``: the detector's box, not clipped to the picture. ``points``:
    (5, 2), x and y in pixels of the picture. ``chip``: (150, 150, 3) uint8 RGB, aligned by ``points``, padding 0.25.

    ``pixels`` is the smaller side of the box. ``inside`` is the share of the box that is in the picture, or of the chip
    if that is smaller: the box may have been clipped. ``clean`` is measured in the picture, because the chip does not
    keep the blocks of the compression.
    """
    # dlib fills the parts of a chip outside of the picture with black. They count neither as dark nor as blurred.
    luma = chip @ LUMA_WEIGHTS
    real = _real(points, picture.shape[1], picture.shape[0])
    core, seen = luma[CORE_RANGE_PX, CORE_RANGE_PX], real[CORE_RANGE_PX, CORE_RANGE_PX]
    return Quality(
        pixels=min(box.right - box.left, box.bottom - box.top),
        brightness=round(float(core[seen].mean()) / 255, 2) if seen.any() else 0.0,
        sharpness=round(_sharpness(luma, real), 2),
        pose=round(_pose(points), 2),
        inside=round(min(_share(box, picture), float(real[BOX_RANGE_PX, BOX_RANGE_PX].mean())), 2),
        clean=round(_clean(picture, box), 2),
    )


def _share(box: Box, picture: Picture) -> float:
    """Return the share of the box that is in the picture: 1 if the box is wholly inside."""
    height, width = picture.shape[:2]
    across, down = min(box.right, width) - max(box.left, 0), min(box.bottom, height) - max(box.top, 0)
    share: float = max(0, across) * max(0, down) / max(1, box.area)
    return share


def _real(points: Points, width: int, height: int) -> NDArray[np.bool_]:
    """Return a mask, (150, 150): True for the pixels of the chip that lie inside the picture."""
    # As in dlib: the rotation, scale and shift that bring CHIP_POINTS nearest to the five points.
    places, found = (CHIP_POINTS + CHIP_PADDING * (1 + 1j)) / (1 + 2 * CHIP_PADDING) * 150, points @ np.array([1, 1j])
    around, off = places - places.mean(), found - found.mean()
    turn = np.vdot(around, off) / np.vdot(around, around)
    x = np.arange(150)
    at = found.mean() + turn * (x + 1j * x[:, None] - places.mean())
    real: NDArray[np.bool_] = (at.real >= 0) & (at.real <= width - 1) & (at.imag >= 0) & (at.imag <= height - 1)
    return real


def _smoothing(sigma: float) -> NDArray[np.float32]:
    """Return the matrix A, (90, 150), of a blur: A @ chip @ A.T is the blurred core of the chip."""
    at, of = np.mgrid[CORE_RANGE_PX, :150]
    far = np.abs(at - of) / sigma
    # Tiny weights would change nothing, but make the product ten times slower.
    weights = np.where(far < 4, np.exp(-(far**2) / 2), 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_FINE, _COARSE = _smoothing(FINE_BLUR_PX), _smoothing(COARSE_BLUR_PX)


def _sharpness(luma: NDArray[np.float32], real: NDArray[np.bool_]) -> float:
    """Return the sharpness, from 0 to 1: how much a further blur weakens the gradients. Contrast does not matter.

    Noise has little influence. A small face that was enlarged to the chip is blurred, and counts as blurred.
    """
    # In a photograph with blur s the gradients after a further blur f are proportional to 1 / hypot(s, f), because the
    # spectrum of photographs is 1/f. The equation is solved for s.
    # The edge of the picture must not count as an edge of the face.
    seen = _COARSE @ real.astype(np.float32) @ _COARSE.T > 0.999
    fine, coarse = (each @ luma @ each.T for each in (_FINE, _COARSE))
    down, across = (_sharpness_of([_energy(luma, seen, axis) for luma in (fine, coarse)]) for axis in (0, 1))
    whole = _sharpness_of([_energy(luma, seen, 0) + _energy(luma, seen, 1) for luma in (fine, coarse)])
    # Motion blurs a picture in one direction only.
    return min(whole, min(down, across) + MAX_SHARPNESS_GAP)


def _sharpness_of(energies: Sequence[float]) -> float:
    """Return the sharpness. ``energies``: of the gradients after the fine and after the coarse blur."""
    fine, coarse = energies
    if fine <= max(coarse, MIN_GRADIENT_ENERGY):
        return 0.0
    blur = math.sqrt(max(0.0, COARSE_BLUR_PX**2 * coarse - FINE_BLUR_PX**2 * fine) / (fine - coarse))
    return min(1.0, max(0.0, (SHARPNESS_0_BLUR_PX - blur) / (SHARPNESS_0_BLUR_PX - SHARPNESS_1_BLUR_PX)))


def _energy(luma: NDArray[np.float32], seen: NDArray[np.bool_], axis: int) -> float:
    """Return the mean square of the gradients along an axis; 0 if no pixel of the face is in the picture."""
    gradients = np.diff(luma, axis=axis)[-len(seen) + 1 :, -len(seen) + 1 :]
    there = seen[1:, 1:]
    return float((gradients**2 * there).sum()) / max(1, int(there.sum()))


def _clean(picture: Picture, box: Box) -> float:
    """Return 1 without traces of JPEG blocks, 0.5 if differences at block borders are twice those inside the blocks."""
    across, down = (box.left + box.right - MAX_CLEAN_SIDE_PX) // 2, (box.top + box.bottom - MAX_CLEAN_SIDE_PX) // 2
    left, top = max(box.left, across, 0), max(box.top, down, 0)
    luma = (
        picture[top : min(box.bottom, top + MAX_CLEAN_SIDE_PX), left : min(box.right, left + MAX_CLEAN_SIDE_PX)]
        @ LUMA_WEIGHTS
    )
    return 1 / max(1.0, min(_blockiness(luma), _blockiness(luma.T)))


def _blockiness(luma: NDArray[np.float32]) -> float:
    """Return the mean difference at block borders, divided by the mean difference at all other rows."""
    # Every eighth row is a block border. The position with the largest differences is used, because a picture that was
    # cropped or rotated after its compression has its blocks at another position.
    if min(luma.shape) <= 2 * JPEG_BLOCK_PX:
        return 1.0
    steps = np.abs(np.diff(luma, axis=0)).mean(axis=1)
    phases = np.array([steps[phase::JPEG_BLOCK_PX].mean() for phase in range(JPEG_BLOCK_PX)])
    largest = int(phases.argmax())
    return float(phases[largest] / max(MIN_GRADIENT_ENERGY, np.delete(phases, largest).mean()))


def _pose(points: Points) -> float:
    """Return the pose: 1 from the front, 0 in profile. Leaning to a shoulder does not reduce it.

    The pose depends on the nose's place below the eyes, across and down, and on the difference between the widths of
    the eyes. Five points do not show a bowed head.
    """
    # The widths matter because dlib puts the points of a profile almost like those of a frontal face.
    outer, inner, other_outer, other_inner, nose = (complex(x, y) for x, y in points)
    middle, other_middle = (outer + inner) / 2, (other_outer + other_inner) / 2
    eyes, width, other_width = middle - other_middle, abs(outer - inner), abs(other_outer - other_inner)
    if not eyes or not width + other_width:
        return 0.0
    below = (nose - (middle + other_middle) / 2) / eyes
    yaw, pitch = below.real, below.imag - FRONTAL_NOSE_DROP
    squint = (width - other_width) / (width + other_width)
    return max(0.0, 1 - (yaw / MAX_YAW) ** 2 - (pitch / MAX_PITCH) ** 2 - (squint / MAX_SQUINT) ** 2)
