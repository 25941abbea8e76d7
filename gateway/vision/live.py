"""The look at a live frame: at the whole picture, at its changed parts, or at nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gateway.metrics import Stopwatch
from gateway.model import AnalyseTask, Analysis, Box, LiveTask, PictureLimits
from gateway.vision.align import make_upright, turn
from gateway.vision.analyse import analyse_parts
from gateway.vision.decoding.small import EncodedPicture, Luma
from gateway.vision.engine import Engine
from gateway.vision.gate import Comparison, Levels, allowed_places, compare
from gateway.vision.parts import plan_parts
from gateway.vision.scaled import ScaledPicture
from gateway.vision.thumbnail import MAX_THUMBNAIL_PIXELS, Thumbnail


def look(data: bytes, engine: Engine, task: LiveTask, limits: PictureLimits) -> Analysis:
    """Return the faces in the parts of a live frame that need a look. Raises BadImage, TooLarge and Unsupported."""
    clock = Stopwatch()
    frame = LiveFrame(data, task, limits)
    known = frame.known_thumbnail()
    comparison = None if known is None or task.full else frame.compare(known)
    parts = None if comparison is None else frame.parts(comparison)
    clock.lap("gate")
    brightness = round(float(frame.small.mean()) / 255, 3)
    if task.thumbnail is None and not task.full:
        seen = Thumbnail.of(frame.small).to_bytes()
        return Analysis(frame.image, (), clock.laps, looked="nothing", brightness=brightness, thumbnail=seen)
    if parts == []:
        return Analysis(frame.image, (), clock.laps, looked="nothing", brightness=brightness, still=task.faces)
    found = analyse_parts(frame.opened(), engine, frame.wanted, parts, clock)
    seen = frame.updated(known, comparison, parts, [face.box for face in found.faces]).to_bytes()
    if comparison is None or parts is None:
        return replace(found, looked="full", thumbnail=seen, brightness=brightness)
    still = tuple(face for face in task.faces if not any(face.intersection(part) for part in parts))
    changed = tuple(map(frame.in_picture, comparison.unusual_places()))
    return replace(found, looked="parts", thumbnail=seen, brightness=brightness, still=still, changed=changed)


class LiveFrame:
    """A live frame and its task. ``image``: its size when it is upright. ``small``: its brightness in small."""

    def __init__(self, data: bytes, task: LiveTask, limits: PictureLimits) -> None:
        self._encoded = EncodedPicture(data, limits)
        self._task = task
        mounting = task.search.mounting
        self.image = self._encoded.image.turned_by(mounting.rotate)
        self.small = _small(self._encoded.small, task)
        self.wanted = AnalyseTask(task.search, "stream", task.landmarks, chips=task.pictures)

    def known_thumbnail(self) -> Thumbnail | None:
        """Return the thumbnail of the task, or None if there is none of this size."""
        if self._task.thumbnail is None:
            return None
        known = Thumbnail.from_bytes(self._task.thumbnail)
        return known if known is not None and known.pixels.shape == self.small.shape else None

    def compare(self, known: Thumbnail) -> Comparison:
        search, (height, width) = self._task.search, self.small.shape
        allowed = allowed_places(search.only, search.never, width, height)
        return compare(self.small, known, allowed, search.min_face * width / self.image.width)

    def parts(self, comparison: Comparison) -> list[Box] | None:
        """Return the parts to look at, in pixels of the picture as it was sent; None for the whole picture."""
        if comparison.whole:
            return None
        changed = [*map(self.in_picture, comparison.places), *self._task.look_at]
        size = self.image.width, self.image.height
        return plan_parts(changed, self._task.faces, size, self._task.search.min_face) if changed else []

    def opened(self) -> ScaledPicture:
        """Return the whole picture. Raises BadImage and TooLarge."""
        return ScaledPicture(make_upright(self._encoded.decoded.pixels, self._task.search.mounting), self.image)

    def updated(
        self,
        known: Thumbnail | None,
        comparison: Comparison | None,
        parts: Sequence[Box] | None,
        faces: Sequence[Box],
    ) -> Thumbnail:
        """Return the thumbnail after a look at the parts, or at the whole picture. ``faces``: those that were found."""
        if known is None:
            return Thumbnail.of(self.small)
        if comparison is None or comparison.whole:
            return known.seen_whole(self.small)
        pixels = self.small if parts is None else self._with_parts(comparison.expected, parts)
        boxes = [self._in_thumbnail(face) for face in faces]
        learned = replace(known, pixels=pixels).without_usual(boxes)
        if not self._task.learn:
            return learned
        return learned.with_usual(comparison.places_without(boxes), comparison.change)

    def _with_parts(self, expected: Levels, parts: Sequence[Box]) -> Luma:
        """Return the thumbnail's pixels in the exposure of the frame, and those of the frame in the parts."""
        pixels = np.rint(expected).astype(np.uint8)
        for part in map(self._in_thumbnail, parts):
            rows, columns = slice(part.top, part.bottom), slice(part.left, part.right)
            pixels[rows, columns] = self.small[rows, columns]
        return pixels

    def in_picture(self, place: Box) -> Box:
        """Convert a box in pixels of the thumbnail to pixels of the picture."""
        across, down = self._steps()
        edges = place.left * across, place.top * down, place.right * across, place.bottom * down
        return Box(*(round(edge) for edge in edges))

    def _in_thumbnail(self, box: Box) -> Box:
        across, down = self._steps()
        edges = box.left / across, box.top / down, -(-box.right // across), -(-box.bottom // down)
        return Box(*map(int, edges)).clipped_to(self.small.shape[1], self.small.shape[0])

    def _steps(self) -> tuple[float, float]:
        """Return the pixels of the picture for one pixel of the thumbnail, across and down."""
        height, width = self.small.shape
        return self.image.width / width, self.image.height / height


def _small(luma: Luma, task: LiveTask) -> Luma:
    """Return the thumbnail's pixels: upright, and MAX_THUMBNAIL_PIXELS at most."""
    while luma.size > MAX_THUMBNAIL_PIXELS:
        luma = _halved(luma)
    mounting = task.search.mounting
    turned = turn(luma, -mounting.rotate // 90)
    return np.ascontiguousarray(turned[:, ::-1]) if mounting.mirror else turned


def _halved(luma: Luma) -> Luma:
    height, width = (side // 2 for side in luma.shape)
    quads = luma[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    halved: Luma = quads.mean(axis=(1, 3), dtype=np.float32).astype(np.uint8)
    return halved
