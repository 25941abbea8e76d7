"""dlib's CNN: over an image pyramid that is packed on few canvases, or over tiles that others cut."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gateway.model import Box
from gateway.vision.decoding.decode import Picture
from gateway.vision.engine import Detection
from gateway.vision.engines.graphs import BLOCK_PX
from gateway.vision.engines.pyramid import (
    BACKGROUND_RGB,
    FIRST_CENTRE_PX,
    SCORE_STRIDE_PX,
    PyramidLayout,
    Rect,
    plan_pyramid,
)
from gateway.vision.engines.runtime import Graph

MIN_FACE_SCORE = 0.0
"""Score above which a window is a face: dlib's own threshold."""

MAX_OVERLAP_IOU = 0.3382761351109955
"""Intersection over union above which the weaker of two windows is removed: the value in dlib's model file."""

Edges = NDArray[np.float64]
"""The left, top, right or bottom edge of each of n windows: shape (n,)."""

MAX_CANVAS_BYTES = 80_000_000
"""Memory for reused canvases. A picture of 1920 x 1080 takes 30 MB for faces from 56 pixels, and 60 MB from 40."""

CANVAS_SPACES = (1, 2, 4, 8, 16, 32)
"""Numbers of tiles for which a canvas has space. OpenVINO prepares each size of canvas once: few sizes are best."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window of WINDOW_PX pixels in a tile. ``across``, ``down``: its centre, seen from the middle of the tile."""

    score: float
    across: float
    down: float


class CnnDetector:
    """The face detector. ``graph``: from ``graphs.detector_graph``. For one thread at a time."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._canvases: OrderedDict[PyramidLayout, list[Picture]] = OrderedDict()

    def detect(self, picture: Picture, min_face: int, max_face: int | None = None) -> list[Detection]:
        """Return the faces, in the order of their scores."""
        found = self.find_scored(picture, min_face, max_face)
        return [Detection(Box(*(round(edge) for edge in rect)), score) for score, rect in found]

    def find_scored(self, picture: Picture, min_face: float, max_face: float | None = None) -> list[tuple[float, Rect]]:
        """Return (score, rectangle), in the order of the scores. Rectangles are in pixels, with fractions."""
        layout = _cached_plan(picture.shape[1], picture.shape[0], min_face, max_face)
        found = []
        for number, canvas in enumerate(layout.draw(picture, self._reused_canvases(layout))):
            found += layout.boxes(number, self._scores(canvas), MIN_FACE_SCORE)
        return suppress(found)

    def score_upright(self, tiles: Sequence[Picture]) -> list[float]:
        """Return the best score near the middle of each tile: about 1 for a face that fills its window.

        ``tiles``: square chips, uint8 RGB, (side, side, 3) each (vision/align.py).
        """
        return [window.score for window in self.look_at(tiles, 2 * SCORE_STRIDE_PX)]

    def look_at(self, tiles: Sequence[Picture], reach: float) -> Iterator[Window]:
        """Yield the best window near the middle of each tile.

        ``tiles``: uint8 RGB, (side, side, 3) each, of one side, a multiple of SCORE_STRIDE_PX. ``reach``: the distance
        from the middle, across and down, up to which a window counts, in pixels.
        """
        for number in range(0, len(tiles), CANVAS_SPACES[-1]):
            yield from self._look_at_once(tiles[number : number + CANVAS_SPACES[-1]], reach)

    def _look_at_once(self, tiles: Sequence[Picture], reach: float) -> Iterator[Window]:
        side = tiles[0].shape[0]
        space = next(count for count in CANVAS_SPACES if count >= len(tiles))
        canvas = np.full((space * side, side, 3), BACKGROUND_RGB, np.uint8)
        canvas[: len(tiles) * side] = np.concatenate(tiles)
        scores = self._scores(canvas)
        near, middle = _places_near(side, reach), (side - 1) / 2
        for number in range(len(tiles)):
            part = scores[near + number * side // SCORE_STRIDE_PX][:, near]
            row, column = divmod(int(part.argmax()), len(near))
            across, down = (SCORE_STRIDE_PX * near[[column, row]] + FIRST_CENTRE_PX - middle).tolist()
            yield Window(float(part[row, column]), across, down)

    def _scores(self, canvas: Picture) -> NDArray[np.float32]:
        """Return the score map, (rows, columns): about an eighth of the canvas's height and width."""
        height, width = canvas.shape[:2]
        scores: NDArray[np.float32] = self._graph.run(canvas.reshape(1, height, width // BLOCK_PX, 3 * BLOCK_PX))[0, 0]
        return scores

    def _reused_canvases(self, layout: PyramidLayout) -> list[Picture]:
        """Return canvases for the layout, reused from an earlier picture if possible."""
        # New memory takes more time than drawing on it.
        canvases = self._canvases.pop(layout, None) or layout.blank()
        self._canvases[layout] = canvases
        while len(self._canvases) > 1 and sum(map(_bytes, self._canvases.values())) > MAX_CANVAS_BYTES:
            self._canvases.popitem(last=False)
        return canvases


def _places_near(side: int, reach: float) -> NDArray[np.int64]:
    """Return the places of a tile's score map, along a side, whose windows are near the middle of the tile."""
    distances = SCORE_STRIDE_PX * np.arange(side // SCORE_STRIDE_PX) + FIRST_CENTRE_PX - (side - 1) / 2
    return np.flatnonzero(np.abs(distances) <= reach)


def _bytes(canvases: list[Picture]) -> int:
    return sum(canvas.nbytes for canvas in canvases)


def suppress(found: list[tuple[float, Rect]]) -> list[tuple[float, Rect]]:
    """Return the best of overlapping windows (non-maximum suppression), in the order of their scores."""
    ordered = sorted(found, reverse=True)
    left, top, right, bottom = np.array([rect for _, rect in ordered], np.float64).reshape(-1, 4).T
    areas = _pixels(left, right) * _pixels(top, bottom)
    remaining = np.arange(len(ordered))
    kept = []
    while len(remaining):
        best, others = remaining[0], remaining[1:]
        kept.append(ordered[best])
        width = _pixels(np.maximum(left[others], left[best]), np.minimum(right[others], right[best]))
        height = _pixels(np.maximum(top[others], top[best]), np.minimum(bottom[others], bottom[best]))
        both = np.maximum(width, 0) * np.maximum(height, 0)
        remaining = others[both / (areas[others] + areas[best] - both) <= MAX_OVERLAP_IOU]
    return kept


def _pixels(first: Edges, last: Edges) -> Edges:
    """Return the distances between two edges. As in dlib, the pixels on both edges are counted."""
    return last - first + 1


@lru_cache(maxsize=32)
def _cached_plan(width: int, height: int, min_face: float, max_face: float | None) -> PyramidLayout:
    return plan_pyramid(width, height, min_face, max_face)
