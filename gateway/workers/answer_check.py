"""The check of an answer from a worker process. The types in it are right already.

A picture may have taken over the process, so no answer is believed: sizes, lengths and numbers that no honest process
sends are refused before they reach a reply, the people store or a computation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized

import numpy as np

from gateway.model import Analysis, Box, Descriptor, FoundFace, Quality

MAX_FACES, MAX_BOXES = 64, 20_000
"""Faces of a picture, of which honest processes send up to 32, and places of a thumbnail."""

MAX_NAMES, MAX_NAME_LETTERS, MAX_POINTS = 32, 32, 500
"""Groups of landmarks and steps of a timing, letters of the name of one, and points of a group."""

MAX_PICTURE_BYTES = 1 << 20
"""Bytes of a thumbnail, of the chips of a face, and of its crop."""

MAX_NUMBER = 1e9
"""Largest absolute value of a number. The largest honest one is the number of bytes of a picture."""

MAX_LENGTH_ERROR = 0.01
"""Largest difference between 1 and the length of a descriptor."""


def check_answer(answer: Analysis, dimensions: int) -> None:
    """Raise ValueError for an answer that no honest worker process sends. ``dimensions``: of a descriptor."""
    _check_count("faces", answer.faces, MAX_FACES)
    _check_count("boxes", (*answer.still, *answer.changed), MAX_BOXES)
    _check_numbers((answer.image.width, answer.image.height), least=1)
    _check_numbers((answer.image.bytes, answer.left_out, answer.brightness or 0), least=0)
    _check_names("timing", answer.timing)
    _check_numbers(answer.timing.values(), least=0)
    _check_pictures(answer.thumbnail)
    for box in (*answer.still, *answer.changed):
        _check_box(box)
    for face in answer.faces:
        _check_face(face, dimensions)


def _check_face(face: FoundFace, dimensions: int) -> None:
    _check_box(face.box)
    _check_pictures(face.chips, face.crop)
    if face.quality is not None:
        _check_quality(face.quality)
    if face.landmarks is not None:
        _check_names("landmarks", face.landmarks)
        for points in face.landmarks.values():
            _check_count("points", points, MAX_POINTS)
            _check_numbers(number for point in points for number in point)
    if face.descriptor is not None:
        _check_descriptor(face.descriptor, dimensions)


def _check_box(box: Box) -> None:
    _check_numbers((box.left, box.top, box.right, box.bottom))
    if box.left >= box.right or box.top >= box.bottom:
        raise ValueError(f"expected a box with an area, found {box}")


def _check_quality(seen: Quality) -> None:
    _check_numbers((seen.pixels, seen.brightness, seen.sharpness, seen.pose, seen.inside, seen.clean))
    _check_numbers(angle for angle in (seen.yaw, seen.pitch, seen.roll) if angle is not None)


def _check_descriptor(found: Descriptor, dimensions: int) -> None:
    # The comparison is also false if a number is not finite.
    if found.shape != (dimensions,) or not abs(float(np.linalg.norm(found)) - 1) <= MAX_LENGTH_ERROR:
        raise ValueError(f"expected a descriptor of {dimensions} finite numbers and of length 1")


def _check_names(what: str, named: Mapping[str, object]) -> None:
    _check_count(what, named, MAX_NAMES)
    if any(len(name) > MAX_NAME_LETTERS or not name.isidentifier() for name in named):
        raise ValueError(f"expected short names in {what}")


def _check_count(what: str, found: Sized, most: int) -> None:
    if len(found) > most:
        raise ValueError(f"expected at most {most} {what}, found {len(found)}")


def _check_pictures(*pictures: bytes | None) -> None:
    for picture in pictures:
        _check_count("bytes of a picture", picture or b"", MAX_PICTURE_BYTES)


def _check_numbers(numbers: Iterable[float], least: float = -MAX_NUMBER) -> None:
    # The comparison is also false if the number is not finite.
    for number in numbers:
        if not least <= number <= MAX_NUMBER:
            raise ValueError(f"expected a number from {least:g} to {MAX_NUMBER:g}, found {number}")
