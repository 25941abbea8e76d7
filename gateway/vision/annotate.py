"""Annotated pictures: boxes, landmarks and names drawn onto a picture.

Names are free text in any script, but Pillow's built-in font has ASCII and few more characters. For all others it
draws the same empty box. Other letters are therefore written in Latin letters, as in a person's slug. A character
without a transliteration becomes "?".
"""

from __future__ import annotations

import io
import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from slugify import slugify

from gateway.errors import Unsupported
from gateway.model import Box, FaceMark
from gateway.vision.decoding.decode import Picture
from gateway.vision.landmark_groups import MESH_GROUP

KNOWN_RGB, UNKNOWN_RGB = (52, 199, 89), (255, 179, 0)
TEXT_RGB, LANDMARK_RGB = (0, 0, 0), (255, 255, 255)
"""Names are black on green or amber, landmarks white.

The contrast of the names is 9.5 and 11.7. WCAG 2 asks for 4.5.
"""

MAX_JPEG_SIDE_PX = 65_500
"""Longest side of a JPEG that libjpeg can write."""
MAX_LABEL_LETTERS = 200
"""Letters of a label that are drawn."""
MIN_TEXT_PX = 12
"""Smallest font size: smaller text is unreadable."""

Line = Sequence[tuple[int, int]]


def annotate(picture: Picture, marks: Sequence[FaceMark]) -> bytes:
    """Return a JPEG of the picture with the marks drawn on it.

    ``picture``: (height, width, 3) uint8 RGB; the JPEG has the same size. Boxes and landmarks may reach beyond the
    picture, and labels may be any text. A mark with its box outside of the picture is skipped. Raises Unsupported if
    the picture is too large for a JPEG.
    """
    if max(picture.shape) > MAX_JPEG_SIDE_PX:
        width, height = picture.shape[1], picture.shape[0]
        raise Unsupported(
            f"a JPEG has at most {MAX_JPEG_SIDE_PX} pixels a side, the picture has {width} x {height}: send it smaller"
        )
    canvas = _Canvas(picture)
    visible = [mark for mark in marks if _area(_intersection(mark.box, canvas.bounds()))]
    # Labels are drawn last, so that no line crosses them.
    for draw in (canvas.draw_outline, canvas.draw_landmarks, canvas.draw_label):
        for mark in visible:
            draw(mark)
    return canvas.encode_jpeg()


def reduce_width(picture: Picture, width: int | None) -> Picture:
    """Return a picture (height, width, 3) with at most this width, in the same proportions. None: as it is."""
    own_height, own_width = picture.shape[:2]
    if width is None or width >= own_width:
        return picture
    height = max(1, round(own_height * width / own_width))
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def printable_label(label: str) -> str:
    """Return the label as one line of characters that the font can draw."""
    short = label if len(label) <= MAX_LABEL_LETTERS else label[:MAX_LABEL_LETTERS] + "…"
    shown = (c for c in unicodedata.normalize("NFC", short) if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join("".join(shown).split())
    return re.sub(
        r"[^ -~\u2018\u2019\u201c\u201d\u2026]+",
        lambda other: slugify(other[0], lowercase=False, separator=" ") or "?",
        line,
    )


class _Canvas:
    """A copy of the picture, and the places that labels should not cover.

    Line widths and letters grow with ``_side``, the geometric mean of width and height.
    """

    def __init__(self, picture: Picture) -> None:
        self._image = Image.fromarray(picture)
        self._pen = ImageDraw.Draw(self._image)
        self._width, self._height = self._image.size
        self._side = math.sqrt(self._width * self._height)
        self._occupied: list[Box] = []

    def bounds(self, margin: int = 0) -> Box:
        """Return the edges of the picture, enlarged by a margin."""
        return Box(-margin, -margin, self._width + margin, self._height + margin)

    def encode_jpeg(self) -> bytes:
        # Without colour subsampling: thin lines blur at the usual half resolution of the colours.
        buffer = io.BytesIO()
        self._image.save(buffer, "JPEG", quality=85, subsampling=0)
        return buffer.getvalue()

    def draw_outline(self, mark: FaceMark) -> None:
        """Draw the box of the face."""
        line = max(1, round(self._side / 400))
        # Pillow would visit every pixel of a side that lies outside of the picture.
        box = _intersection(mark.box, self.bounds(line))
        self._pen.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), outline=_colour(mark), width=line)
        self._occupied.append(box)

    def draw_landmarks(self, mark: FaceMark) -> None:
        """Draw a line through each group of landmarks, and dots for the mesh. The outlines of the eyes are closed.

        The line width depends on the size of the face. Points far from the box are not drawn.
        """
        lines = [line for name, points in (mark.landmarks or {}).items() for line in _lines(name, points)]
        box, side = mark.box, mark.box.right - mark.box.left
        around = Box(box.left - side // 2, box.top - side // 2, box.right + side // 2, box.bottom + side // 2)
        area = _intersection(around, self.bounds())
        if any(lines):
            strokes = _strokes(lines, max(0.75, min(side, self._side) / 150), area)
            self._image.paste(LANDMARK_RGB, (area.left, area.top), strokes)

    def draw_label(self, mark: FaceMark) -> None:
        """Draw the name below or above the box, where the name hides less. Draw nothing if the picture is too small."""
        size = min(self._side / 40, max(self._side / 70, (mark.box.right - mark.box.left) / 7))
        font = ImageFont.load_default(max(MIN_TEXT_PX, round(size)))
        # Pillow has another kind of font only when it is built without FreeType.
        assert isinstance(font, ImageFont.FreeTypeFont)
        pad = math.ceil(font.size / 3)
        text = _shortened(printable_label(mark.label), font, self._width - 2 * pad)
        width, height = math.ceil(font.getlength(text)) + 2 * pad, sum(font.getmetrics()) + pad
        if not text or height > self._height:
            return
        x = max(0, min(mark.box.left, self._width - width))
        ys = [max(0, min(y, self._height - height)) for y in (mark.box.bottom, mark.box.top - height)]
        place = min((Box(x, y, x + width, y + height) for y in ys), key=self._occupied_area)
        self._pen.rectangle((x, place.top, place.right - 1, place.bottom - 1), fill=_colour(mark))
        self._pen.text((x + pad, place.top + pad // 2), text, TEXT_RGB, font)
        self._occupied.append(place)

    def _occupied_area(self, place: Box) -> int:
        return sum(_area(_intersection(place, other)) for other in self._occupied)


def _lines(name: str, points: Line) -> list[Line]:
    """Return the lines of a group of landmarks."""
    # The order of the mesh is no path along the face.
    if name == MESH_GROUP:
        return [[point] for point in points]
    return [[*points, *points[:1]] if name.endswith("_eye") else points]


def _strokes(lines: Sequence[Line], thickness: float, area: Box) -> Image.Image:
    """Return a mask of the lines, in the size of ``area``."""
    # The mask is drawn up to four times larger and then reduced, because Pillow's own lines are not smooth.
    width, height = area.right - area.left, area.bottom - area.top
    scale = max(1, min(4, 2000 // max(width, height)))
    mask = Image.new("L", (width * scale, height * scale))
    pen = ImageDraw.Draw(mask)
    for line in lines:
        points = [((x - area.left + 0.5) * scale, (y - area.top + 0.5) * scale) for x, y in line]
        pen.line(points, 255, round(thickness * scale), joint="curve")
        for point in points:
            pen.circle(point, thickness * scale, 255)
    return mask.reduce(scale)


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Return the text, cut with an ellipsis if it is wider than ``width`` pixels; empty if no letter fits."""
    if font.getlength(text) <= width:
        return text
    fitting = bisect_right(range(1, len(text)), width, key=lambda count: math.ceil(font.getlength(text[:count] + "…")))
    return text[:fitting].rstrip() + "…" if fitting else ""


def _colour(mark: FaceMark) -> tuple[int, int, int]:
    return KNOWN_RGB if mark.known else UNKNOWN_RGB


def _intersection(one: Box, other: Box) -> Box:
    """Return the common part of two boxes. Without a common part, the edges of the result are in the wrong order."""
    left, top = max(one.left, other.left), max(one.top, other.top)
    return Box(left, top, min(one.right, other.right), min(one.bottom, other.bottom))


def _area(box: Box) -> int:
    return max(0, box.right - box.left) * max(0, box.bottom - box.top)
