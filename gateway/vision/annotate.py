"""Draws what was found onto a picture: boxes, landmarks, names.

Names are free text in any script, but the font within Pillow has ASCII and few signs more; for all else it draws the
same empty box. Other letters are therefore spelt in Latin ones, as in a person's slug; what has no spelling is "?".
"""

from __future__ import annotations

import io
import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from slugify import slugify

from gateway.errors import Unsupported
from gateway.model import Box, FaceMark
from gateway.vision.decoding.decode import Picture

KNOWN_RGB, UNKNOWN_RGB = (52, 199, 89), (255, 179, 0)
TEXT_RGB, LANDMARK_RGB = (0, 0, 0), (255, 255, 255)
"""Names are black on green or amber (a contrast of 9.5 and 11.7; WCAG 2 asks for 4.5), landmarks white."""

MAX_JPEG_SIDE_PX = 65_500
"""Pixels that libjpeg writes at most."""
MAX_LABEL_LETTERS = 200
"""Letters, enough for any name."""
MIN_TEXT_PX = 12
"""Pixels; what is smaller nobody reads."""

Line = Sequence[tuple[int, int]]


def annotate(picture: Picture, marks: Sequence[FaceMark]) -> bytes:
    """A JPEG of the same size. Boxes and landmarks may reach out of the picture, and labels be any text.

    Labels come last, so that no line crosses them; of a face out of sight nothing is drawn. Raises Unsupported if the
    picture is too long for a JPEG.
    """
    if max(picture.shape) > MAX_JPEG_SIDE_PX:
        raise Unsupported(f"a JPEG has at most {MAX_JPEG_SIDE_PX} pixels a side")
    sheet = _Sheet(picture)
    seen = [mark for mark in marks if _area(_common(mark.box, sheet.frame()))]
    for draw in (sheet.outline, sheet.landmarks, sheet.label):
        for mark in seen:
            draw(mark)
    return sheet.jpeg()


def printable_label(label: str) -> str:
    """One line that the font has every letter of."""
    short = label if len(label) <= MAX_LABEL_LETTERS else label[:MAX_LABEL_LETTERS] + "…"
    shown = (c for c in unicodedata.normalize("NFC", short) if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join("".join(shown).split())
    return re.sub(
        r"[^ -~\u2018\u2019\u201c\u201d\u2026]+",
        lambda other: slugify(other[0], lowercase=False, separator=" ") or "?",
        line,
    )


class _Sheet:
    """A copy of the picture, and where labels had better not go. Lines and letters grow with its mean side."""

    def __init__(self, picture: Picture) -> None:
        self._image = Image.fromarray(picture)
        self._pen = ImageDraw.Draw(self._image)
        self._width, self._height = self._image.size
        self._side = math.sqrt(self._width * self._height)
        self._taken: list[Box] = []

    def frame(self, margin: int = 0) -> Box:
        return Box(-margin, -margin, self._width + margin, self._height + margin)

    def jpeg(self) -> bytes:
        """In full resolution of colour: at half of it, as is usual, thin lines bleed."""
        buffer = io.BytesIO()
        self._image.save(buffer, "JPEG", quality=85, subsampling=0)
        return buffer.getvalue()

    def outline(self, mark: FaceMark) -> None:
        line = max(1, round(self._side / 400))
        box = _common(mark.box, self.frame(line))  # Pillow would walk all along a side that is out of sight
        self._pen.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), outline=_colour(mark), width=line)
        self._taken.append(box)

    def landmarks(self, mark: FaceMark) -> None:
        """A line through each group, the eyes closed; as thick as suits the face, and as near to it as a chin is."""
        lines = [[*line, *line[:1]] if name.endswith("_eye") else line for name, line in (mark.landmarks or {}).items()]
        box, side = mark.box, mark.box.right - mark.box.left
        around = Box(box.left - side // 2, box.top - side // 2, box.right + side // 2, box.bottom + side // 2)
        area = _common(around, self.frame())
        if any(lines):
            strokes = _strokes(lines, max(0.75, min(side, self._side) / 150), area)
            self._image.paste(LANDMARK_RGB, (area.left, area.top), strokes)

    def label(self, mark: FaceMark) -> None:
        """Beneath the box or above it, where it covers less. None where the picture is too small for it."""
        size = min(self._side / 40, max(self._side / 70, (mark.box.right - mark.box.left) / 7))
        font = ImageFont.load_default(max(MIN_TEXT_PX, round(size)))
        assert isinstance(font, ImageFont.FreeTypeFont)  # the other kind is for a Pillow without FreeType
        pad = math.ceil(font.size / 3)
        text = _shortened(printable_label(mark.label), font, self._width - 2 * pad)
        width, height = math.ceil(font.getlength(text)) + 2 * pad, sum(font.getmetrics()) + pad
        if not text or height > self._height:
            return
        x = max(0, min(mark.box.left, self._width - width))
        ys = [max(0, min(y, self._height - height)) for y in (mark.box.bottom, mark.box.top - height)]
        place = min((Box(x, y, x + width, y + height) for y in ys), key=self._covered)
        self._pen.rectangle((x, place.top, place.right - 1, place.bottom - 1), fill=_colour(mark))
        self._pen.text((x + pad, place.top + pad // 2), text, TEXT_RGB, font)
        self._taken.append(place)

    def _covered(self, place: Box) -> int:
        return sum(_area(_common(place, other)) for other in self._taken)


def _strokes(lines: Sequence[Line], thickness: float, area: Box) -> Image.Image:
    """A mask of the area's size, drawn up to four times larger and brought down: Pillow's own lines have stairs."""
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
    """With an ellipsis where it is too wide; empty where not even a letter fits."""
    if font.getlength(text) <= width:
        return text
    fitting = bisect_right(range(1, len(text)), width, key=lambda count: math.ceil(font.getlength(text[:count] + "…")))
    return text[:fitting].rstrip() + "…" if fitting else ""


def _colour(mark: FaceMark) -> tuple[int, int, int]:
    return KNOWN_RGB if mark.known else UNKNOWN_RGB


def _common(one: Box, other: Box) -> Box:
    """What lies in both; inside out where nothing does."""
    left, top = max(one.left, other.left), max(one.top, other.top)
    return Box(left, top, min(one.right, other.right), min(one.bottom, other.bottom))


def _area(box: Box) -> int:
    return max(0, box.right - box.left) * max(0, box.bottom - box.top)
