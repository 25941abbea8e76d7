"""Regions of interest: the parts of a picture in which faces count, and the parts in which faces are ignored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from gateway.model import Box, Polygon, Search
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import Detection, FaceFinder

REGION_MARGIN = 0.5
"""Margin that is searched around the wanted region, as a share of the region's larger side.

With the margin a face with its centre on the region's border is seen whole, unless it is larger than the region.
"""


def search(
    picture: Picture, wanted: Search, detector: FaceFinder, parts: Sequence[Box] | None = None
) -> list[Detection]:
    """Return the faces that match ``wanted``, in pixels of the picture. ``parts``: look only at these parts of it."""
    # The detector gets only the part of the picture that can hold such faces.
    height, width = picture.shape[:2]
    seen = _about(wanted.only, width, height) if wanted.only else Box(0, 0, width, height)
    looked_at = [seen] if parts is None else [both for part in parts if (both := seen.intersection(part)) is not None]
    found = [face for part in looked_at for face in _detect(picture, part, wanted, detector)]
    return [face for face in found if _counts(face.box, wanted, width, height)]


def _detect(picture: Picture, part: Box, wanted: Search, detector: FaceFinder) -> Iterator[Detection]:
    """Yield the faces in a part of the picture, in pixels of the picture."""
    pixels = np.ascontiguousarray(picture[part.top : part.bottom, part.left : part.right])
    for face in detector.detect(pixels, wanted.min_face, wanted.max_face):
        yield replace(face, box=face.box.shifted_by(part.left, part.top))


def _about(polygons: tuple[Polygon, ...], width: int, height: int) -> Box:
    """Return the box around all polygons, with a margin, in pixels."""
    x = [x * width for polygon in polygons for x, _ in polygon]
    y = [y * height for polygon in polygons for _, y in polygon]
    margin = REGION_MARGIN * max(max(x) - min(x), max(y) - min(y))
    left, top, right, bottom = min(x) - margin, min(y) - margin, max(x) + margin, max(y) + margin
    return Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)).clipped_to(width, height)


def _counts(box: Box, wanted: Search, width: int, height: int) -> bool:
    if wanted.max_face is not None and box.right - box.left > wanted.max_face:
        return False
    x, y = (box.left + box.right) / 2 / width, (box.top + box.bottom) / 2 / height
    inside = not wanted.only or any(_within(polygon, x, y) for polygon in wanted.only)
    return inside and not any(_within(polygon, x, y) for polygon in wanted.never)


def _within(polygon: Polygon, x: float, y: float) -> bool:
    """Return whether the point is inside the polygon.

    The point is inside if a ray from the point to the right crosses the polygon's edges an odd number of times.
    """
    inside = False
    for (x1, y1), (x2, y2) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside
