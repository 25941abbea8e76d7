"""One picture at many sizes, packed on few canvases, so that a detector of one window size finds faces of all sizes.

The detector's window is 80 px wide. Each level of the pyramid is smaller than the last by RATIO; the first is of the
size at which the smallest face wanted fills the window. All levels lie side by side on one canvas, which the network
sees in one go; what would make that larger than MAX_CANVAS is cut into strips and spread over several.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.vision.decoding.decode import Picture

WINDOW_PX = 80
"""Pixels: the face that the detector was trained to see."""

LEVEL_RATIO = (5 / 6) ** 2
"""Of one level to the last: every other level of dlib's pyramid, where a face is at most a fifth too large or small."""

MIN_LEVEL_SIDE_PX = 48
"""Of a level, in pixels: on a smaller one only faces much larger than the picture could be found."""

GAP_PX, EDGE_PX = 10, 11
"""Pixels between two levels, and about them all: as dlib packs its own pyramid (``create_tiled_pyramid``)."""

BACKGROUND_RGB = (123, 117, 104)
"""What the network takes for nothing, red, green and blue: the mean that it subtracts."""

MAX_CANVAS_PIXELS = 4_000_000
"""Pixels. Larger ones take more memory, and longer: 6.5 ms a megapixel up to here, 8 to 12 from 6 to 16 (measured)."""

MAX_CANVAS_WIDTH_PX = 2048
"""Of a canvas, in pixels. OpenVINO takes two to three times as long for every third of the widths above (measured)."""

MAX_LEVEL_PIXELS = 10_000_000
"""Pixels, enough for faces of 40 in a picture of 1920 x 1080. In larger pictures the smallest face grows with them."""

STRIP_OVERLAP_PX = 160
"""Pixels that two strips of a level share: half is left to each, so that every face lies whole in one of them."""

CANVAS_STEP_PX = 16
"""Canvases are so many pixels wide and high, or a multiple: fewer shapes for many sizes of pictures."""

SCORE_STRIDE_PX, FIRST_CENTRE_PX = 8, 14
"""Pixels from one place of the score map to the next, and the canvas's pixel at the centre of the first."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A strip of one level, and where it lies.

    ``left``, ``width``: the strip's columns of the level, which is ``scale`` (x, y) times as large as the picture.
    ``first``, ``end``: the columns of the strip in which a face's centre counts; beyond, the next strip sees it better.
    """

    level: int
    scale: tuple[float, float]
    width: int
    height: int
    left: int = 0
    first: float = -math.inf
    end: float = math.inf
    canvas: int = 0
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PyramidLayout:
    """Where everything goes for pictures of one size. ``levels`` and ``canvases`` are (width, height).

    ``owners``: for each canvas and each place of its score map the index of the tile that it lies on or next to.
    """

    levels: tuple[tuple[int, int], ...]
    tiles: tuple[Tile, ...]
    canvases: tuple[tuple[int, int], ...]
    owners: tuple[NDArray[np.intp], ...]

    def blank(self) -> list[Picture]:
        """The canvases, with nothing on them."""
        return [np.full((height, width, 3), BACKGROUND_RGB, np.uint8) for width, height in self.canvases]

    def draw(self, picture: Picture, canvases: list[Picture] | None = None) -> list[Picture]:
        """The canvases, with the picture on them at every size: those given, or new ones."""
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
        """The windows that score more than ``threshold``, as (score, rectangle in pixels of the picture)."""
        found = []
        for row, column in np.argwhere(scores > threshold).tolist():
            tile = self.tiles[self.owners[canvas][row, column]]
            x, y = SCORE_STRIDE_PX * column + FIRST_CENTRE_PX - tile.x, SCORE_STRIDE_PX * row + FIRST_CENTRE_PX - tile.y
            if tile.first <= x < tile.end:
                found.append((float(scores[row, column]), _window(tile, x + tile.left, y)))
        return found


Rect = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels; a pixel's centre is a whole number."""


def resize(picture: Picture, size: tuple[int, int], into: Picture | None = None) -> Picture:
    """To (width, height), between neighbouring pixels; where it halves or more, by the mean of those that it covers."""
    shrinks = 2 * size[0] <= picture.shape[1]
    return cv2.resize(picture, size, dst=into, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # type: ignore[return-value]


def plan_pyramid(width: int, height: int, min_face: float, max_face: float | None = None) -> PyramidLayout:
    """For pictures of this size and faces from ``min_face`` to about ``max_face`` pixels."""
    min_face = max(min_face, WINDOW_PX * math.sqrt(width * height / MAX_LEVEL_PIXELS))
    levels = list(_levels(width, height, min_face, max_face))
    scales = [(w / width, h / height) for w, h in levels]
    groups: list[list[Tile]] = []
    for number, (size, scale) in enumerate(zip(levels, scales, strict=True)):
        for tile in _strips(number, size, scale):
            _group(groups, tile)
    tiles: list[Tile] = []
    canvases = []
    for number, group in enumerate(groups):
        packed, canvas = _pack(number, group)
        tiles += packed
        canvases.append(canvas)
    tiles.sort(key=lambda tile: (tile.level, tile.left))  # each level is made of the one before
    owners = tuple(_owners(tiles, number, canvas) for number, canvas in enumerate(canvases))
    return PyramidLayout(tuple(levels), tuple(tiles), tuple(canvases), owners)


def _levels(width: int, height: int, min_face: float, max_face: float | None) -> Iterator[tuple[int, int]]:
    """None for a picture that is too narrow for the smallest face."""
    scale = WINDOW_PX / min_face
    while min(width, height) * scale >= MIN_LEVEL_SIDE_PX:
        yield round(width * scale), round(height * scale)
        if max_face is not None and WINDOW_PX / scale >= max_face:
            return
        scale *= LEVEL_RATIO


def _strips(level: int, size: tuple[int, int], scale: tuple[float, float]) -> Iterator[Tile]:
    """One, unless the level is wider or larger than a canvas may be."""
    width, height = size
    room = min(MAX_CANVAS_WIDTH_PX, MAX_CANVAS_PIXELS // (height + 2 * EDGE_PX + CANVAS_STEP_PX)) - 2 * EDGE_PX
    room = max(room - CANVAS_STEP_PX, 2 * STRIP_OVERLAP_PX)
    if width <= room:
        yield Tile(level, scale, width, height)
        return
    count = math.ceil((width - STRIP_OVERLAP_PX) / (room - STRIP_OVERLAP_PX))
    each = math.ceil((width - STRIP_OVERLAP_PX) / count) + STRIP_OVERLAP_PX
    lefts = [min(n * (each - STRIP_OVERLAP_PX), width - each) for n in range(count)]
    ends = [
        -math.inf,
        *(left + each - STRIP_OVERLAP_PX / 2 for left in lefts[:-1]),
        math.inf,
    ]  # where the next one takes over
    for left, first, end in zip(lefts, ends, ends[1:], strict=False):
        yield Tile(level, scale, each, height, left, first - left, end - left)


def _group(groups: list[list[Tile]], tile: Tile) -> None:
    """With the first tiles that leave room on their canvas."""
    for group in groups:
        if sum(_area(other) for other in [*group, tile]) < MAX_CANVAS_PIXELS:
            group.append(tile)
            return
    groups.append([tile])


def _area(tile: Tile) -> int:
    return (tile.width + GAP_PX) * (tile.height + GAP_PX)


def _pack(canvas: int, tiles: Sequence[Tile]) -> tuple[list[Tile], tuple[int, int]]:
    """Their places on the smallest of the canvases tried, of widths from the widest tile's to twice that."""
    tiles = sorted(tiles, key=lambda tile: -tile.height)
    least = _up(max(tile.width for tile in tiles) + 2 * EDGE_PX)
    widths = range(
        least, min(2 * least, MAX_CANVAS_WIDTH_PX) + 1, CANVAS_STEP_PX * math.ceil(least / CANVAS_STEP_PX / 16)
    )
    tried = [(width, *_places(tiles, width)) for width in widths]
    width, places, height = min(tried, key=lambda each: each[0] * each[2])
    placed = [replace(tile, canvas=canvas, x=x, y=y) for tile, (x, y) in zip(tiles, places, strict=True)]
    return placed, (width, height)


def _places(tiles: Sequence[Tile], width: int) -> tuple[list[tuple[int, int]], int]:
    """Each tile as high up as it fits beneath those before it, and the height that this takes."""
    skyline = np.full(width - 2 * EDGE_PX + GAP_PX, EDGE_PX)  # for each column the first free row
    places = []
    for tile in tiles:
        takes = tile.width + GAP_PX
        starts = [int(start) for start in (0, *(np.flatnonzero(np.diff(skyline)) + 1)) if start + takes <= len(skyline)]
        y, start = min((int(skyline[start : start + takes].max()), start) for start in starts)
        skyline[start : start + takes] = y + tile.height + GAP_PX
        places.append((EDGE_PX + start, y))
    return places, _up(int(skyline.max()) - GAP_PX + EDGE_PX)


def _up(pixels: int) -> int:
    return math.ceil(pixels / CANVAS_STEP_PX) * CANVAS_STEP_PX


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
    """About a centre in pixels of the level, as pixels of the picture."""
    half = (WINDOW_PX - 1) / 2
    return *_back(tile, x - half, y - half), *_back(tile, x + half, y + half)


def _back(tile: Tile, x: float, y: float) -> tuple[float, float]:
    """From pixels of the level to those of the picture."""
    return (x + 0.5) / tile.scale[0] - 0.5, (y + 0.5) / tile.scale[1] - 0.5
