"""The gate: the comparison of a live frame with the camera's thumbnail, so that only changed parts are looked at.

A frame differs from the thumbnail by noise, by its exposure, and by things that moved. The exposure is a gain and an
offset for the whole picture, which are estimated and taken out. Noise is estimated from the difference of most pixels,
and a change must be far above it, over several pixels side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.model import Box, Polygon
from gateway.vision.decoding.small import Luma
from gateway.vision.thumbnail import Thumbnail

Levels = NDArray[np.float32]
"""Brightness or differences of it, (height, width), float32, in levels of 0 to 255."""

MIN_CHANGE, MAX_THRESHOLD = 5.0, 12.0
"""Bounds of the smallest change that counts, in levels: the mean over 3 x 3 pixels of the thumbnail."""
NOISE_FACTOR = 5.0
"""The smallest change that counts, in standard deviations of the noise."""

WHOLE_CHANGE = 0.5
"""Share of the picture from which a change counts as one of the whole picture: another lamp, the infrared switch."""

MAX_CHANGES = 64
"""Changed places beyond which the whole picture is looked at."""

FACE_SHARE = 1 / 3
"""Side of the smallest change that counts, divided by the side of the smallest wanted face."""
JOINED_PX = 5
"""Changed pixels with fewer pixels between them are one place."""

SOLID_SHARE = 2 / 3
"""Side of the smallest solid change where changes are usual, divided by the side of the smallest wanted face."""

MAX_FIT_SAMPLES = 2_000
"""Pixels from which exposure and noise are estimated."""
SATURATED = (4, 251)
"""Levels below and above which a camera reports no differences."""
MIN_SHIFT = 1.5
"""Median difference in levels up to which the exposure counts as unchanged."""
MIN_GAIN, MAX_GAIN = 0.5, 2.0
"""Bounds of the gain of one scene in two exposures: a quarter and four times the light. Beyond, it is another scene."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The difference of a frame from the thumbnail.

    ``expected``: the thumbnail in the frame's exposure. ``change``: absolute differences from it. ``labels``: for each
    pixel the number of its changed place, from 1, or 0. ``places``: the box of each place, in pixels of the thumbnail.
    ``usual``: for each place whether changes are usual there. ``whole``: most of the picture changed.
    """

    expected: Levels
    change: Levels
    labels: NDArray[np.int32]
    places: tuple[Box, ...]
    usual: tuple[bool, ...]
    whole: bool

    def unusual_places(self) -> list[Box]:
        """Return the places at which changes are not usual."""
        return [place for place, usual in zip(self.places, self.usual, strict=True) if not usual]

    def places_without(self, faces: Sequence[Box]) -> NDArray[np.bool_]:
        """Return the pixels of the changed places that no face touches. ``faces``: in pixels of the thumbnail."""
        numbers = [n for n, place in enumerate(self.places, 1) if not any(place.intersection(face) for face in faces)]
        return np.isin(self.labels, numbers)


def compare(seen: Luma, known: Thumbnail, allowed: NDArray[np.bool_], min_face: float) -> Comparison:
    """Compare a frame with the thumbnail.

    ``seen``: the frame, in the thumbnail's size. ``allowed``: where the middle of a face counts. ``min_face``: side of
    the smallest wanted face, in pixels of the thumbnail.
    """
    now, before = seen.astype(np.float32), known.pixels.astype(np.float32)
    expected = _exposed(before, now)
    change = np.abs(cv2.blur(now - expected, (3, 3)))
    noise = 1.4826 * float(np.median(_sample(change)))
    threshold = min(max(MIN_CHANGE, NOISE_FACTOR * noise), MAX_THRESHOLD)
    changed = (change > np.maximum(threshold, known.tolerance)) & allowed
    # Where changes are usual, what exceeds them by chance is scattered. A face is solid.
    changed &= (known.tolerance == 0) | _solid(changed, max(3, round(SOLID_SHARE * min_face)))
    if not changed.any():
        return Comparison(expected, change, np.zeros(seen.shape, np.int32), (), (), whole=False)
    labels, places = _places(changed, max(3.0, (FACE_SHARE * min_face) ** 2))
    whole = changed.sum() > WHOLE_CHANGE * allowed.sum() or len(places) > MAX_CHANGES
    usual = np.unique(labels[changed & (known.tolerance > MAX_THRESHOLD)])
    return Comparison(expected, change, labels, places, tuple(n in usual for n in range(1, len(places) + 1)), whole)


def _solid(changed: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Return the changed pixels that belong to a square of that side, all of whose pixels changed."""
    opened = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    return np.asarray(opened > 0, np.bool_)


def _places(changed: NDArray[np.bool_], min_pixels: float) -> tuple[NDArray[np.int32], tuple[Box, ...]]:
    """Return the labels of the changed places, and their boxes. Places of fewer pixels are left out."""
    joined = cv2.dilate(changed.astype(np.uint8), np.ones((JOINED_PX, JOINED_PX), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    pixels = np.bincount(labels[changed], minlength=count)
    kept = [number for number in range(1, count) if pixels[number] >= min_pixels]
    numbers = np.zeros(count, np.int32)
    numbers[kept] = range(1, len(kept) + 1)
    boxes = (stats[number, :4].tolist() for number in kept)
    return numbers[labels], tuple(Box(x, y, x + width, y + height) for x, y, width, height in boxes)


def _exposed(before: Levels, now: Levels) -> Levels:
    """Return the thumbnail in the exposure of the frame."""
    first, second = _sample(before), _sample(now)
    (low, high) = SATURATED
    usable = (first > low) & (first < high) & (second > low) & (second < high)
    first, second = first[usable], second[usable]
    # Where most pixels are as they were, an estimate could only make the comparison worse.
    if len(first) < 50 or np.median(np.abs(second - first)) <= MIN_SHIFT:
        return before
    gain, offset = _gain_and_offset(first, second)
    if not MIN_GAIN <= gain <= MAX_GAIN:
        return before
    exposed: Levels = np.clip(gain * before + offset, 0, 255)
    return exposed


def _gain_and_offset(first: Levels, second: Levels) -> tuple[float, float]:
    """Return gain and offset that turn most of the first levels into the second ones."""
    (low1, mid1, high1), (low2, mid2, high2) = (np.percentile(each, (20, 50, 80)) for each in (first, second))
    gain = float(high2 - low2) / max(float(high1 - low1), 1.0)
    offset = float(mid2 - gain * mid1)
    for _ in range(3):
        errors = np.abs(second - gain * first - offset)
        near = errors <= max(2 * float(np.median(errors)), MIN_SHIFT)
        x, y = first[near], second[near]
        spread = float(x.var())
        gain = float(((x - x.mean()) * y).mean()) / spread if spread > 1 else 1.0
        offset = float(y.mean() - gain * x.mean())
    return gain, offset


def _sample(levels: Levels) -> Levels:
    flat = levels.reshape(-1)
    return flat[:: max(1, flat.size // MAX_FIT_SAMPLES)]


@lru_cache(maxsize=64)
def allowed_places(only: tuple[Polygon, ...], never: tuple[Polygon, ...], width: int, height: int) -> NDArray[np.bool_]:
    """Return where in a thumbnail the middle of a face counts: bool, (height, width)."""
    mask = np.full((height, width), 0 if only else 1, np.uint8)
    for polygon in only:
        cv2.fillPoly(mask, [_corners(polygon, width, height)], 1)
    for polygon in never:
        cv2.fillPoly(mask, [_corners(polygon, width, height)], 0)
    # A pixel on a border is partly inside.
    allowed: NDArray[np.bool_] = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
    return allowed


def _corners(polygon: Polygon, width: int, height: int) -> NDArray[np.int32]:
    return np.array([(round(x * width - 0.5), round(y * height - 0.5)) for x, y in polygon], np.int32)
