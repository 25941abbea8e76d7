"""The rule by which a face belongs to an event of Frigate. A name is written into the right event, or into none."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.contract.frigate import FrigateBox
from gateway.model import Box, Face, Recognition

HEAD_SHARE = 0.5
"""The upper part of a person's box in which the person's face is."""


def face_of_event(
    seen: Recognition, box: FrigateBox | None, others: Sequence[FrigateBox], *, alone: bool
) -> Face | None:
    """Return the face of the event's person, or None if the picture does not tell which one it is.

    ``box``: of the person in this very frame, if it is known. ``others``: the last boxes of other people who may be in
    the picture. ``alone``: nobody else is on the camera.
    """
    # Faces that were left out could belong to anybody.
    if seen.left_out:
        return None
    if box is not None and not _fits(box, seen):
        box = None
    if box is None:
        return seen.faces[0] if alone and len(seen.faces) == 1 else None
    inside = [face for face in seen.faces if _contains(box, face.box)]
    if len(inside) != 1 or not _is_head(box, inside[0].box):
        return None
    # The box of somebody behind another person contains the face of the person in front.
    return None if any(_contains(each, inside[0].box) for each in others) else inside[0]


def _contains(box: FrigateBox, face: Box) -> bool:
    left, top, right, bottom = box
    x, y = _middle(face)
    return left <= x < right and top <= y < bottom


def _is_head(box: FrigateBox, face: Box) -> bool:
    _, top, _, bottom = box
    return _middle(face)[1] < top + HEAD_SHARE * (bottom - top)


def _middle(face: Box) -> tuple[float, float]:
    return (face.left + face.right) / 2, (face.top + face.bottom) / 2


def _fits(box: FrigateBox, seen: Recognition) -> bool:
    """Return whether the box can be of this picture: a cropped or smaller one has other coordinates."""
    return box[2] <= seen.image.width and box[3] <= seen.image.height
