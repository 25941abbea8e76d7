"""Faces that were found in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gateway.errors import MultipleFaces, NoFace
from gateway.model.geometry import Box, Image, Landmarks

Descriptor = NDArray[np.float32]
"""Shape (d,), float32, of unit length, so that a dot product is the cosine. d is 128 for dlib's network."""

Looked = Literal["full", "parts", "nothing"]
"""The part of a live frame in which faces were looked for. ``nothing``: it did not change since earlier looks."""

Timing = Mapping[str, float]
"""Milliseconds by step: ``decode``, ``detect``, ``embed``…"""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of how well a face can be seen (vision/quality.py).

    ``pixels``: the smaller side of its box. ``yaw``, ``pitch``, ``roll``: the direction of the head in degrees
    (vision/head_pose.py), or None if not measured. ``confirmed``: False if only the first stage of the detector saw the
    face. The other measures are from 0 to 1.
    """

    pixels: int
    brightness: float
    sharpness: float
    pose: float
    inside: float
    clean: float = 1.0
    yaw: int | None = None
    pitch: int | None = None
    roll: int | None = None
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """The limits below which a face is not identified, in the units of Quality."""

    # Smaller faces resemble each other: more pairs of two people pass than decision.max_false_match allows.
    pixels: int = 50
    brightness: float = 0.06
    sharpness: float = 0.1
    pose: float = 0.05
    inside: float = 0.6
    clean: float = 0.0


# A face beyond these limits resembles the faces of strangers on equally bad pictures. Of 222 good photographs the
# limits refused one. docs/reference/benchmarks.md has the measurement.
ENROLMENT_LIMITS = QualityLimits(pixels=60, brightness=0.12, sharpness=0.55, clean=0.56)
"""The limits below which a face is not enrolled."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face as vision reports it, before it is compared with anybody.

    ``chips`` and ``crop`` are JPEGs, made on request: the face aligned in several ways, and the face as people look at
    it. ``descriptor`` is also None for a face that cannot be turned upright, or is not confirmed.
    """

    box: Box
    descriptor: Descriptor | None = None
    landmarks: Landmarks | None = None
    quality: Quality | None = None
    chips: bytes | None = None
    crop: bytes | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """The result of a task on one picture.

    ``drawn``: the result of a DrawTask or a ShowChipsTask, a JPEG. ``left_out``: the number of smaller faces that are
    not in ``faces`` and are not described, because the picture has too many.

    The other fields are for a LiveTask. ``thumbnail``: the picture as it was when each place was last looked at, for
    the next LiveTask of this camera; None if the thumbnail of this task stays valid. ``still``: the boxes of
    ``LiveTask.faces`` around which nothing changed, so that nothing was looked for. These faces are still there.
    ``changed``: boxes of the changed parts in which faces were looked for, except where changes are usual.
    ``brightness``: of the whole frame, 0 to 1.
    """

    image: Image
    faces: tuple[FoundFace, ...]
    timing: Timing
    drawn: bytes | None = None
    left_out: int = 0
    looked: Looked = "full"
    thumbnail: bytes | None = None
    brightness: float | None = None
    still: tuple[Box, ...] = ()
    changed: tuple[Box, ...] = ()

    def single_face(self, which: str = "the picture") -> FoundFace:
        """Return the only face. Raise NoFace or MultipleFaces, whose messages call the picture ``which``."""
        if not self.faces:
            raise NoFace(f"there is no face in {which}")
        if len(self.faces) > 1:
            raise MultipleFaces(f"there are {len(self.faces) + self.left_out} faces in {which}: send one face")
        return self.faces[0]
