"""How well a face can be seen: its size, light, sharpness and pose, and how much of it is in the picture.

The constants were chosen on 700 faces: portraits, press photographs (LFW), groups, a film with people in profile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.model import Box, Points, Quality
from gateway.vision.decoding.decode import Picture

LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601."""

CORE_RANGE_PX = slice(30, 120)
"""Of the chip's 150 rows and columns those from the brows to the lips, and a little beyond the eyes."""
BOX_RANGE_PX = slice(8, 142)
"""And those that the detector's box takes in: 134 of them, by the median."""

CHIP_POINTS = np.array([0.8596 + 0.2135j, 0.6461 + 0.2290j, 0.1206 + 0.2137j, 0.3341 + 0.2291j, 0.4901 + 0.6278j])
"""x + iy: where dlib's get_face_chip_details puts the five points, in a chip of side 1 without padding."""
CHIP_PADDING = 0.25

FINE_BLUR_PX, COARSE_BLUR_PX = 1.0, 3.0
"""Gaussian blurs whose outcomes are compared, by their sigma in pixels of the chip, as all that follow."""
SHARPNESS_1_BLUR_PX, SHARPNESS_0_BLUR_PX = 1.2, 4.7
"""The blur for sharpness 1 and that for 0. Of portraits it was found to be 1.4 (0.4 to 2.2), blurred by 4 more 4.6."""
MIN_GRADIENT_ENERGY = 1e-6
"""Mean squares of gradients below are float32's rounding, which differs between processors and was found to be 1e-10
at most; one pixel that differs by one level makes 9e-6."""

MAX_SHARPNESS_GAP = 0.3
"""How much less sharp in one direction a face may be than as a whole: of 30 press photographs the most was 0.22, of
the same blurred by motion over an eighth of the face the median was 0.5."""

JPEG_BLOCK_PX = 8
"""Pixels."""
MAX_CLEAN_SIDE_PX = 256
"""Pixels, both ways, in the middle of a large face: enough to tell, and it bounds the time."""

FRONTAL_NOSE_DROP = 0.77
"""How much lower than the eyes the nose is, in distances between the eyes: the median, and that of dlib's places."""
MAX_YAW, MAX_PITCH, MAX_SQUINT = 0.4, 0.45, 0.25
"""What alone makes a profile. Nine in ten press photographs stay below 0.17, 0.15 and 0.08."""


def measure_quality(picture: Picture, box: Box, points: Points, chip: Picture) -> Quality:
    """``box``: as the detector gave it, unclipped. ``chip``: aligned by ``points``, padding 0.25, (150, 150, 3).

    ``pixels`` is the box's smaller side, ``inside`` the share of it in the picture; if it has been clipped, that of the
    chip tells. What the chip shows of outside, where dlib fills in black, counts neither as dark nor as blurred.
    ``clean`` is about the picture, whose blocks the chip does not keep.
    """
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
    """Of the box in the picture: less than 1 where it reaches out of it."""
    height, width = picture.shape[:2]
    across, down = min(box.right, width) - max(box.left, 0), min(box.bottom, height) - max(box.top, 0)
    share: float = max(0, across) * max(0, down) / max(1, box.area)
    return share


def _real(points: Points, width: int, height: int) -> NDArray[np.bool_]:
    """(150, 150): which pixels of the chip lie in the picture.

    Found as dlib does, by the turn, scale and shift that bring the places nearest to the five points.
    """
    places, found = (CHIP_POINTS + CHIP_PADDING * (1 + 1j)) / (1 + 2 * CHIP_PADDING) * 150, points @ np.array([1, 1j])
    around, off = places - places.mean(), found - found.mean()
    turn = np.vdot(around, off) / np.vdot(around, around)
    x = np.arange(150)
    at = found.mean() + turn * (x + 1j * x[:, None] - places.mean())
    real: NDArray[np.bool_] = (at.real >= 0) & (at.real <= width - 1) & (at.imag >= 0) & (at.imag <= height - 1)
    return real


def _smoothing(sigma: float) -> NDArray[np.float32]:
    """(90, 150): what it is multiplied with from both sides is blurred, and cut to its core."""
    at, of = np.mgrid[CORE_RANGE_PX, :150]
    far = np.abs(at - of) / sigma
    weights = np.where(far < 4, np.exp(-(far**2) / 2), 0)  # next to nothing, they slow the product tenfold
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_FINE, _COARSE = _smoothing(FINE_BLUR_PX), _smoothing(COARSE_BLUR_PX)


def _sharpness(luma: NDArray[np.float32], real: NDArray[np.bool_]) -> float:
    """From how much of the gradients a further blur leaves, whatever the contrast; noise hardly counts.

    In a photograph blurred by s they are about 1 / hypot(s, f) strong after a blur by f, by the 1/f spectrum of
    photographs; solved for s. A face of few pixels, enlarged to the chip, is a blurred one, and counts as such.
    """
    seen = _COARSE @ real.astype(np.float32) @ _COARSE.T > 0.999  # an edge of the picture is no edge of the face
    fine, coarse = (each @ luma @ each.T for each in (_FINE, _COARSE))
    down, across = (_sharpness_of([_energy(luma, seen, axis) for luma in (fine, coarse)]) for axis in (0, 1))
    whole = _sharpness_of([_energy(luma, seen, 0) + _energy(luma, seen, 1) for luma in (fine, coarse)])
    # Motion blurs in one direction only.
    return min(whole, min(down, across) + MAX_SHARPNESS_GAP)


def _sharpness_of(energies: Sequence[float]) -> float:
    """``energies``: of the gradients after a fine and after a coarse blur."""
    fine, coarse = energies
    if fine <= max(coarse, MIN_GRADIENT_ENERGY):
        return 0.0
    blur = math.sqrt(max(0.0, COARSE_BLUR_PX**2 * coarse - FINE_BLUR_PX**2 * fine) / (fine - coarse))
    return min(1.0, max(0.0, (SHARPNESS_0_BLUR_PX - blur) / (SHARPNESS_0_BLUR_PX - SHARPNESS_1_BLUR_PX)))


def _energy(luma: NDArray[np.float32], seen: NDArray[np.bool_], axis: int) -> float:
    """The mean square of the gradients along an axis; 0 where nothing is seen."""
    gradients = np.diff(luma, axis=axis)[-len(seen) + 1 :, -len(seen) + 1 :]
    there = seen[1:, 1:]
    return float((gradients**2 * there).sum()) / max(1, int(there.sum()))


def _clean(picture: Picture, box: Box) -> float:
    """1 without traces of JPEG's blocks of 8 pixels, 0.5 where differences at their borders are twice those within."""
    across, down = (box.left + box.right - MAX_CLEAN_SIDE_PX) // 2, (box.top + box.bottom - MAX_CLEAN_SIDE_PX) // 2
    left, top = max(box.left, across, 0), max(box.top, down, 0)
    luma = (
        picture[top : min(box.bottom, top + MAX_CLEAN_SIDE_PX), left : min(box.right, left + MAX_CLEAN_SIDE_PX)]
        @ LUMA_WEIGHTS
    )
    return 1 / max(1.0, min(_blockiness(luma), _blockiness(luma.T)))


def _blockiness(luma: NDArray[np.float32]) -> float:
    """How much larger differences are at every eighth row than at the others, for the phase at which they are largest.

    A picture that was turned or cut after it was compressed has its blocks at another phase.
    """
    if min(luma.shape) <= 2 * JPEG_BLOCK_PX:
        return 1.0
    steps = np.abs(np.diff(luma, axis=0)).mean(axis=1)
    phases = np.array([steps[phase::JPEG_BLOCK_PX].mean() for phase in range(JPEG_BLOCK_PX)])
    largest = int(phases.argmax())
    return float(phases[largest] / max(MIN_GRADIENT_ENERGY, np.delete(phases, largest).mean()))


def _pose(points: Points) -> float:
    """1 from the front, 0 in profile; how the head leans to a shoulder does not count.

    By where the nose is beneath the eyes, across and down, and how unlike in width the eyes are: dlib puts the points
    of a profile much as of a frontal face, and the last is what betrays it. Of a bowed head, whose nose is the further
    in front as its face is the shorter, five points tell nothing.
    """
    outer, inner, other_outer, other_inner, nose = (complex(x, y) for x, y in points)
    middle, other_middle = (outer + inner) / 2, (other_outer + other_inner) / 2
    eyes, width, other_width = middle - other_middle, abs(outer - inner), abs(other_outer - other_inner)
    if not eyes or not width + other_width:
        return 0.0
    below = (nose - (middle + other_middle) / 2) / eyes
    yaw, pitch = below.real, below.imag - FRONTAL_NOSE_DROP
    squint = (width - other_width) / (width + other_width)
    return max(0.0, 1 - (yaw / MAX_YAW) ** 2 - (pitch / MAX_PITCH) ** 2 - (squint / MAX_SQUINT) ** 2)
