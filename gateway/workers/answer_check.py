"""The check of an answer from a worker process. The types, and the lengths of lists and texts, are right already.

A picture may have taken over the process, so no answer is believed: numbers that no honest process sends are refused
before they reach a reply, the people store or a computation.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gateway.model import Analysis, Box, Descriptor, FoundFace, Quality

MAX_NUMBER = 1e9
"""Largest absolute value of a number. The largest honest one is the number of bytes of a picture."""

MAX_LENGTH_ERROR = 0.01
"""Largest difference between 1 and the length of a descriptor."""


def check_answer(answer: Analysis, dimensions: int) -> None:
    """Raise ValueError for an answer that no honest worker process sends. ``dimensions``: of a descriptor."""
    _check_numbers((answer.image.width, answer.image.height), least=1)
    _check_numbers((answer.image.bytes, answer.left_out, answer.brightness or 0), least=0)
    _check_names("timing", answer.timing)
    _check_numbers(answer.timing.values(), least=0)
    for box in (*answer.still, *answer.changed):
        _check_box(box)
    for face in answer.faces:
        _check_face(face, dimensions)


def _check_face(face: FoundFace, dimensions: int) -> None:
    _check_box(face.box)
    if face.quality is not None:
        _check_quality(face.quality)
    if face.landmarks is not None:
        _check_names("landmarks", face.landmarks)
        for points in face.landmarks.values():
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


def _check_names(what: str, names: Iterable[str]) -> None:
    # The names stand in headers of HTTP, which must be ASCII.
    if not all(name.isascii() and name.isidentifier() for name in names):
        raise ValueError(f"expected identifiers as names in {what}")


def _check_numbers(numbers: Iterable[float], least: float = -MAX_NUMBER) -> None:
    # The comparison is also false if the number is not finite.
    for number in numbers:
        if not least <= number <= MAX_NUMBER:
            raise ValueError(f"expected a number from {least:g} to {MAX_NUMBER:g}, found {number}")
