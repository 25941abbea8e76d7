"""The packing of tiles on canvases, which the detector's network gets as its input.

A tile is a level of the image pyramid, or a strip of a level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

GAP_PX, EDGE_PX = 10, 11
"""Space between two levels, and around all of them, as in dlib's own pyramid (``create_tiled_pyramid``)."""

MAX_CANVAS_PIXELS = 4_000_000
"""Largest number of pixels of a canvas. Larger canvases take more memory and time.

Measured: 6.5 ms per megapixel up to this size, 8 to 12 ms from 6 to 16 megapixels.
"""

MAX_CANVAS_WIDTH_PX = 2048
"""Widest canvas. For a third of the larger widths OpenVINO takes two to three times as long (measured)."""

CANVAS_STEP_PX = 16
"""Width and height of a canvas are multiples of this. So many sizes of pictures share few sizes of canvases."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A strip of one level, and its position on a canvas.

    ``level``: the number of the level. ``scale``: its size relative to the picture (x, y). ``left``, ``width``: the
    columns of the level in the strip. ``first``, ``end``: the columns of the strip in which a face's centre counts;
    outside of them, the neighbouring strip is used. ``canvas``, ``x``, ``y``: the strip's position, in pixels.
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


def add_to_groups(groups: list[list[Tile]], tile: Tile) -> None:
    """Add the tile to the first group with enough space on its canvas, or to a new group."""
    for group in groups:
        if sum(_area(other) for other in [*group, tile]) < MAX_CANVAS_PIXELS:
            group.append(tile)
            return
    groups.append([tile])


def _area(tile: Tile) -> int:
    return (tile.width + GAP_PX) * (tile.height + GAP_PX)


def pack(canvas: int, tiles: Sequence[Tile]) -> tuple[list[Tile], tuple[int, int]]:
    """Return the tiles with their positions, and the size of the canvas.

    Canvases from the width of the widest tile to twice that are tried, and the smallest one is used.
    """
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
    """Return the position of each tile, as high as possible below the earlier tiles, and the height of the canvas."""
    # For each column the first free row.
    skyline = np.full(width - 2 * EDGE_PX + GAP_PX, EDGE_PX)
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
