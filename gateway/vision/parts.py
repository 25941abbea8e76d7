"""The parts of a picture in which faces are looked for, around the places that changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.model import Box

MARGIN = 0.5
"""Margin around a changed place, as a share of its shorter side: a face may reach beyond the pixels that changed."""
FACE_MARGIN = 1.0
"""Margin around a known face, as a share of its longer side."""

PART_SIDES_PX = (160, 320, 480, 720, 1080, 1440)
"""Sides of parts. A network prepares each size of input once, so there are few."""

MAX_PARTS = 4
"""Parts beyond which the whole picture is looked at."""
MAX_PARTS_SHARE = 0.6
"""Share of the picture beyond which the whole picture is looked at: each part also costs something by itself."""


def plan_parts(changed: Iterable[Box], faces: Sequence[Box], size: tuple[int, int], min_face: int) -> list[Box] | None:
    """Return the parts to look at, or None if the whole picture should be looked at.

    ``changed``: places that changed, or that are looked at in any case. ``faces``: known faces. A face that a part
    touches is seen whole. ``size``: width and height of the picture. ``min_face``: side of the smallest wanted face.
    All are in pixels of the picture.
    """
    wanted = [
        widened(each, max(MARGIN * min(each.right - each.left, each.bottom - each.top), min_face)) for each in changed
    ]
    parts = _merged([_as_part(each, size) for each in wanted], size)
    while True:
        cut = [face for face in faces if any(face.intersection(each) and not _holds(each, face) for each in parts)]
        more = [_as_part(widened(face, FACE_MARGIN * _side(face)), size) for face in cut]
        grown = _merged([*parts, *more], size)
        if grown == parts:
            break
        parts = grown
    area = sum(each.area for each in parts)
    if len(parts) > MAX_PARTS or area > MAX_PARTS_SHARE * size[0] * size[1]:
        return None
    return parts


def widened(box: Box, margin: float) -> Box:
    """Return the box with a margin in pixels on every side."""
    return Box(round(box.left - margin), round(box.top - margin), round(box.right + margin), round(box.bottom + margin))


def _side(box: Box) -> int:
    return max(box.right - box.left, box.bottom - box.top)


def _holds(part: Box, face: Box) -> bool:
    """Return whether the part holds the face, as far as the face is in the picture that the part was cut from."""
    left, top = max(part.left, face.left), max(part.top, face.top)
    right, bottom = min(part.right, face.right), min(part.bottom, face.bottom)
    return (right - left) * (bottom - top) >= 0.99 * face.area


def _as_part(box: Box, size: tuple[int, int]) -> Box:
    """Return a box of PART_SIDES_PX around a box, moved into the picture."""
    (left, right), (top, bottom) = _edges(box.left, box.right, size[0]), _edges(box.top, box.bottom, size[1])
    return Box(left, top, right, bottom)


def _edges(first: int, last: int, length: int) -> tuple[int, int]:
    """Return the edges of a part along one side of the picture."""
    first, last = max(first, 0), min(last, length)
    side = next((each for each in PART_SIDES_PX if last - first <= each < length), length)
    begin = min(max((first + last - side) // 2, 0), length - side)
    return begin, begin + side


def _merged(parts: list[Box], size: tuple[int, int]) -> list[Box]:
    """Return the parts, with parts that overlap as one."""
    merged: list[Box] = []
    for part in parts:
        # A part that grows may overlap with others.
        while touched := [each for each in merged if each.intersection(part)]:
            for each in touched:
                merged.remove(each)
            part = _as_part(_around([part, *touched]), size)
        merged.append(part)
    return merged


def _around(boxes: Sequence[Box]) -> Box:
    return Box(
        min(each.left for each in boxes),
        min(each.top for each in boxes),
        max(each.right for each in boxes),
        max(each.bottom for each in boxes),
    )
