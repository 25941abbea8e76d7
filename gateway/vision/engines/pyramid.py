"""An image pyramid: one picture at many sizes, so that a detector with a window of fixed size finds faces of all sizes.

The detector's window is 80 px wide. In the first level of the pyramid the smallest wanted face fills the window. Each
further level is smaller by LEVEL_RATIO. All levels are packed side by side on one canvas, which the network gets as one
input. If the canvas would exceed MAX_CANVAS_PIXELS, levels are cut into strips and packed on several canvases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.vision.decoding.decode import Picture
from gateway.vision.engines.canvas_packing import (
    CANVAS_STEP_PX,
    EDGE_PX,
    MAX_CANVAS_PIXELS,
    MAX_CANVAS_WIDTH_PX,
    Tile,
    add_to_groups,
    pack,
)

WINDOW_PX = 80
"""Size of the faces that the detector was trained with."""

LEVEL_RATIO = (5 / 6) ** 2
"""Size of a level, divided by the size of the level before it: every second level of dlib's pyramid.

In the nearest level a face is at most a fifth too large or too small.
"""

MIN_LEVEL_SIDE_PX = 48
"""Shorter side of the smallest level. In a smaller level only faces much larger than the picture could be found."""

BACKGROUND_RGB = (123, 117, 104)
"""Red, green and blue of an empty canvas: the mean that the network subtracts."""

MAX_LEVEL_PIXELS = 10_000_000
"""Largest number of pixels of a level: enough for faces of 40 px in a picture of 1920 x 1080.

In larger pictures the smallest face that can be found grows with the picture.
"""

STRIP_OVERLAP_PX = 160
"""Overlap of two strips of a level. Each strip is used up to the middle of it, so every face is whole in one strip."""

SCORE_STRIDE_PX, FIRST_CENTRE_PX = 8, 14
"""Distance between two places of the score map, and the pixel of the canvas at the first place."""


@dataclass(frozen=True, slots=True, eq=False)
class PyramidLayout:
    """The pyramid of pictures of one size, and its place on the canvases.

    ``levels`` and ``canvases`` are sizes: (width, height) in pixels. ``owners``: for each canvas an array of the shape
    of its score map. Each element is the index of the tile on which the place lies, or of the nearest tile.
    """

    levels: tuple[tuple[int, int], ...]
    tiles: tuple[Tile, ...]
    canvases: tuple[tuple[int, int], ...]
    owners: tuple[NDArray[np.intp], ...]

    def blank(self) -> list[Picture]:
        """Return empty canvases: uint8 RGB, (height, width, 3) each."""
        return [np.full((height, width, 3), BACKGROUND_RGB, np.uint8) for width, height in self.canvases]

    def draw(self, picture: Picture, canvases: list[Picture] | None = None) -> list[Picture]:
        """Draw all levels of the picture on the given canvases, or on new ones, and return them."""
        drawn = canvases or self.blank()
        level, number = picture, -1
        for tile in self.tiles:
            canvas = drawn[tile.canvas]
            part = canvas[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
            if tile.level == number:
                part[:] = level[:, tile.left : tile.left + tile.width]
                continue
            number, whole = tile.level, self.levels[tile.level]
            if tile.width == whole[0]:
                level = resize(level, whole, into=part)
            else:
                level = resize(level, whole)
                part[:] = level[:, tile.left : tile.left + tile.width]
        return drawn

    def boxes(self, canvas: int, scores: NDArray[np.float32], threshold: float) -> list[tuple[float, Rect]]:
        """Return the windows with a score above ``threshold``, as (score, rectangle in pixels of the picture).

        ``scores``: the score map of the canvas, (rows, columns).
        """
        found = []
        for row, column in np.argwhere(scores > threshold).tolist():
            tile = self.tiles[self.owners[canvas][row, column]]
            x, y = SCORE_STRIDE_PX * column + FIRST_CENTRE_PX - tile.x, SCORE_STRIDE_PX * row + FIRST_CENTRE_PX - tile.y
            if tile.first <= x < tile.end:
                found.append((float(scores[row, column]), _window(tile, x + tile.left, y)))
        return found


Rect = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels. The centre of a pixel is a whole number."""


def resize(picture: Picture, size: tuple[int, int], into: Picture | None = None) -> Picture:
    """Scale the picture to ``size``, (width, height)."""
    # From half of the size down, the mean of the covered pixels is taken; otherwise neighbours are interpolated.
    shrinks = 2 * size[0] <= picture.shape[1]
    return cv2.resize(picture, size, dst=into, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def halve(picture: Picture) -> Picture:
    """Return the picture in half of its size. Of an odd number of rows or columns, the last one is left out."""
    height, width = (max(1, side // 2) for side in picture.shape[:2])
    # OpenCV is six times faster at exact halves.
    return resize(picture[: 2 * height, : 2 * width], (width, height))


def plan_pyramid(width: int, height: int, min_face: float, max_face: float | None = None) -> PyramidLayout:
    """Return the layout for pictures of this size, and faces from ``min_face`` to about ``max_face`` pixels."""
    min_face = max(min_face, WINDOW_PX * math.sqrt(width * height / MAX_LEVEL_PIXELS))
    levels = list(_levels(width, height, min_face, max_face))
    scales = [(w / width, h / height) for w, h in levels]
    groups: list[list[Tile]] = []
    for number, (size, scale) in enumerate(zip(levels, scales, strict=True)):
        for tile in _strips(number, size, scale):
            add_to_groups(groups, tile)
    tiles: list[Tile] = []
    canvases = []
    for number, group in enumerate(groups):
        packed, canvas = pack(number, group)
        tiles += packed
        canvases.append(canvas)
    # Each level is scaled from the one before it, so the tiles must be in the order of the levels.
    tiles.sort(key=lambda tile: (tile.level, tile.left))
    owners = tuple(_owners(tiles, number, canvas) for number, canvas in enumerate(canvases))
    return PyramidLayout(tuple(levels), tuple(tiles), tuple(canvases), owners)


def _levels(width: int, height: int, min_face: float, max_face: float | None) -> Iterator[tuple[int, int]]:
    """Yield the size of each level. A picture that is too narrow for the smallest face has no levels."""
    scale = WINDOW_PX / min_face
    while min(width, height) * scale >= MIN_LEVEL_SIDE_PX:
        yield round(width * scale), round(height * scale)
        if max_face is not None and WINDOW_PX / scale >= max_face:
            return
        scale *= LEVEL_RATIO


def _strips(level: int, size: tuple[int, int], scale: tuple[float, float]) -> Iterator[Tile]:
    """Yield the strips of a level: one, unless the level is larger than a canvas may be."""
    width, height = size
    limit = min(MAX_CANVAS_WIDTH_PX, MAX_CANVAS_PIXELS // (height + 2 * EDGE_PX + CANVAS_STEP_PX)) - 2 * EDGE_PX
    limit = max(limit - CANVAS_STEP_PX, 2 * STRIP_OVERLAP_PX)
    if width <= limit:
        yield Tile(level, scale, width, height)
        return
    count = math.ceil((width - STRIP_OVERLAP_PX) / (limit - STRIP_OVERLAP_PX))
    each = math.ceil((width - STRIP_OVERLAP_PX) / count) + STRIP_OVERLAP_PX
    lefts = [min(n * (each - STRIP_OVERLAP_PX), width - each) for n in range(count)]
    ends = [
        -math.inf,
        *(left + each - STRIP_OVERLAP_PX / 2 for left in lefts[:-1]),
        math.inf,
    ]  # where the next one takes over
    for left, first, end in zip(lefts, ends, ends[1:], strict=False):
        yield Tile(level, scale, each, height, left, first - left, end - left)


def _owners(tiles: Sequence[Tile], canvas: int, size: tuple[int, int]) -> NDArray[np.intp]:
    columns = SCORE_STRIDE_PX * np.arange(size[0] // SCORE_STRIDE_PX) + FIRST_CENTRE_PX
    rows = SCORE_STRIDE_PX * np.arange(size[1] // SCORE_STRIDE_PX)[:, None] + FIRST_CENTRE_PX
    here = np.array([number for number, tile in enumerate(tiles) if tile.canvas == canvas])
    distances = []
    for tile in (tiles[number] for number in here):
        x = np.maximum(np.maximum(tile.x - columns, columns - (tile.x + tile.width - 1)), 0)
        y = np.maximum(np.maximum(tile.y - rows, rows - (tile.y + tile.height - 1)), 0)
        distances.append(x * x + y * y)
    owners: NDArray[np.intp] = here[np.argmin(distances, axis=0)]
    return owners


def _window(tile: Tile, x: float, y: float) -> Rect:
    """Return the window around a centre in pixels of the level, converted to pixels of the picture."""
    half = (WINDOW_PX - 1) / 2
    return *_back(tile, x - half, y - half), *_back(tile, x + half, y + half)


def _back(tile: Tile, x: float, y: float) -> tuple[float, float]:
    """Convert pixels of the level to pixels of the picture."""
    return (x + 0.5) / tile.scale[0] - 0.5, (y + 0.5) / tile.scale[1] - 0.5
