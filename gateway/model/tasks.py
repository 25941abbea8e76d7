"""The tasks of a worker process, each about one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.model.geometry import DEFAULT_SIZE_LIMIT, UPRIGHT, Box, Landmarks, Mounting, Polygon, SizeLimit

EngineName = Literal["facegate", "dlib-hog", "dlib-cnn"]

DetectionMethod = Literal["pyramid", "two-stage"]
"""``pyramid``: dlib's CNN on the whole picture. ``two-stage``: only at the places that BlazeFace proposes."""

DetectorPrecision = Literal["auto", "int8", "bf16", "f32"]
DescriptorPrecision = Literal["auto", "int8", "bf16", "f32"]
"""The number format in which a network computes. ``auto`` takes the fastest one that the processor supports."""

Purpose = Literal["stream", "enrolment"]
"""The use of a descriptor. For a stream it must be made quickly. For enrolment it is made once, with more care."""

LandmarkCount = Literal[0, 5, 68, 468]
"""The number of points of a face that a request asks for. 468: the mesh."""

Landmarks68 = Literal["mesh", "dlib", "off"]
"""The origin of 68 points: the mesh or dlib's model. ``off``: nobody may ask for them."""


@dataclass(frozen=True, slots=True)
class Search:
    """The faces to look for: from ``min_face`` to about ``max_face`` pixels, by the width of their box.

    ``only``: polygons, of which one must contain the middle of a face; none means the whole picture. ``never``:
    polygons of which none may contain it. ``mounting``: the change that is made to the picture first.
    """

    min_face: int = 56
    max_face: int | None = None
    only: tuple[Polygon, ...] = ()
    never: tuple[Polygon, ...] = ()
    mounting: Mounting = UPRIGHT


@dataclass(frozen=True, slots=True)
class AnalyseTask:
    """Find the faces in a picture. The other fields say what to report of each, beside its box and quality.

    ``head_pose``: yaw, pitch and roll; with 68 and 468 landmarks they are reported anyway. ``single_face``: the request
    needs exactly one face. Of several faces only the boxes are reported.
    """

    search: Search = Search()
    descriptors: Purpose | None = "stream"
    landmarks: LandmarkCount = 0
    head_pose: bool = False
    chips: bool = False
    single_face: bool = False


MAX_KNOWN_FACES = 1000
"""Largest number of faces of an earlier frame in a LiveTask."""


@dataclass(frozen=True, slots=True)
class LiveTask:
    """Find and describe the faces in a frame of a stream, as far as the picture changed since earlier looks.

    ``thumbnail``: the one that the last frame of this camera with a thumbnail was answered with; None before the first
    one. A first frame that is not looked at in full only gets a thumbnail. ``faces``: the boxes of the faces that the
    frame before this one shows. The part of the picture around such a face is looked at only if it changed.
    ``look_at``: boxes around which the picture is looked at even if nothing changed there. Boxes are in pixels of the
    upright picture as it was sent. ``full``: look at the whole picture. ``learn``: parts that change without a face may
    count less from now on, such as leaves and clocks. ``pictures``: make chips and a crop of each described face.
    ``landmarks``: as in AnalyseTask.
    """

    search: Search = Search()
    thumbnail: bytes | None = None
    faces: tuple[Box, ...] = ()
    look_at: tuple[Box, ...] = ()
    full: bool = False
    learn: bool = False
    pictures: bool = True
    landmarks: LandmarkCount = 0


@dataclass(frozen=True, slots=True)
class RedescribeTask:
    """Describe an enrolled face again, from the chips that were stored when it was enrolled."""


@dataclass(frozen=True, slots=True)
class ShowChipsTask:
    """Make a picture of an enrolled face for people, from the chips that were stored when it was enrolled."""


@dataclass(frozen=True, slots=True)
class FaceMark:
    """The drawing of one face. An enrolled person (``known``) gets another colour."""

    box: Box
    label: str
    known: bool
    landmarks: Landmarks | None = None


@dataclass(frozen=True, slots=True)
class DrawTask:
    """Draw faces into a picture, after it is changed as by ``Search.mounting``.

    ``never``: polygons that are made black, as in Search. ``size_limit``: of the picture with the drawing. ``width``:
    the width in pixels to which a wider picture is reduced before the faces are drawn.
    """

    marks: tuple[FaceMark, ...]
    mounting: Mounting = UPRIGHT
    never: tuple[Polygon, ...] = ()
    size_limit: SizeLimit = DEFAULT_SIZE_LIMIT
    width: int | None = None


Task = AnalyseTask | LiveTask | RedescribeTask | ShowChipsTask | DrawTask
