"""The answers of a worker process to its tasks, in MessagePack.

A picture may have taken over the process. So the types limit every text and list: an answer that exceeds a limit is
refused before its parts take memory. ``answer_check.py`` then limits the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from gateway.errors import MAX_MESSAGE_LENGTH, GatewayError, wire_errors
from gateway.model import (
    AnalyseTask,
    Analysis,
    Box,
    DrawTask,
    FoundFace,
    Image,
    LiveTask,
    Looked,
    Quality,
    ShowChipsTask,
    Task,
)
from gateway.model.tasks import MAX_KNOWN_FACES
from gateway.workers.answer_check import check_answer
from gateway.workers.protocol import decode, encode

MAX_TEXT_ANSWER_BYTES, MAX_PICTURES_ANSWER_BYTES = 1 << 20, 1 << 23
"""Longest answer without pictures of faces, and with them. 32 faces with 468 landmarks each have 0.2 MB.

Pictures of 32 usual faces have 1 MB. 256 kB are left for each face, more than its chips and its crop if they are noise.
"""

MAX_FACES, MAX_CHANGED_PLACES = 32, 64
"""Faces of a picture and changed places of a live frame that honest processes report."""

MAX_GROUPS, MAX_POINTS, MAX_STEPS, MAX_NAME_LETTERS = 10, 468, 16, 32
"""Groups of landmarks, points of a group, steps of a timing, and letters of the name of a group or step."""

MAX_PICTURE_BYTES = 1 << 18
"""Bytes of a thumbnail, of the chips of a face, and of its crop. Three chips of pure noise have 201 kB."""

MAX_DESCRIPTOR_BYTES = 1 << 13

MAX_CODE_LETTERS = 32
"""Letters of the code of an error."""

_Name = Annotated[str, Meta(max_length=MAX_NAME_LETTERS)]
_Points = Annotated[list[tuple[int, int]], Meta(max_length=MAX_POINTS)]
_Landmarks = Annotated[Mapping[_Name, _Points], Meta(max_length=MAX_GROUPS)]
_Picture = Annotated[bytes, Meta(max_length=MAX_PICTURE_BYTES)]


class _AnswerFace(Struct, frozen=True):
    """A FoundFace with limits. ``descriptor``: the bytes of its float32."""

    box: Box
    descriptor: Annotated[bytes, Meta(max_length=MAX_DESCRIPTOR_BYTES)] | None = None
    landmarks: _Landmarks | None = None
    quality: Quality | None = None
    chips: _Picture | None = None
    crop: _Picture | None = None

    def to_model(self) -> FoundFace:
        """Return the face. Raises ValueError."""
        described = None if self.descriptor is None else np.frombuffer(self.descriptor, np.float32)
        return FoundFace(self.box, described, self.landmarks, self.quality, self.chips, self.crop)


class _AnswerAnalysis(Struct, frozen=True):
    """An Analysis with limits, without its drawing."""

    image: Image
    faces: Annotated[tuple[_AnswerFace, ...], Meta(max_length=MAX_FACES)]
    timing: Annotated[Mapping[_Name, float], Meta(max_length=MAX_STEPS)]
    left_out: int = 0
    looked: Looked = "full"
    thumbnail: _Picture | None = None
    brightness: float | None = None
    still: Annotated[tuple[Box, ...], Meta(max_length=MAX_KNOWN_FACES)] = ()
    changed: Annotated[tuple[Box, ...], Meta(max_length=MAX_CHANGED_PLACES)] = ()

    def to_model(self) -> Analysis:
        """Return the analysis. Raises ValueError."""
        return Analysis(
            self.image,
            tuple(face.to_model() for face in self.faces),
            self.timing,
            left_out=self.left_out,
            looked=self.looked,
            thumbnail=self.thumbnail,
            brightness=self.brightness,
            still=self.still,
            changed=self.changed,
        )


class _Answer(Struct, frozen=True):
    """Either an analysis, or an error with its code. ``drawn_bytes``: the length of the drawing behind the message."""

    analysis: _AnswerAnalysis | None = None
    code: Annotated[str, Meta(max_length=MAX_CODE_LETTERS)] = ""
    message: Annotated[str, Meta(max_length=MAX_MESSAGE_LENGTH)] = ""
    drawn_bytes: Annotated[int, Meta(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class _Report:
    """The message of a worker process about an analysis."""

    analysis: Analysis
    drawn_bytes: int


def most_answer_bytes(task: Task) -> int:
    """Return the length of the longest answer to a task, without its drawing."""
    has_pictures = isinstance(task, LiveTask) or (isinstance(task, AnalyseTask) and task.chips)
    return MAX_PICTURES_ANSWER_BYTES if has_pictures else MAX_TEXT_ANSWER_BYTES


def most_drawing_bytes(task: Task) -> int:
    """Return the length of the largest drawing for a task; 0 for a task without one."""
    match task:
        case DrawTask():
            return task.size_limit.bytes
        case ShowChipsTask():
            return MAX_PICTURE_BYTES
        case _:
            return 0


def write_report(analysis: Analysis) -> tuple[bytes, bytes]:
    """Return the message for a result, and the drawing that follows it."""
    drawn = analysis.drawn or b""
    return encode(_Report(replace(analysis, drawn=None) if drawn else analysis, len(drawn))), drawn


def write_failure(error: GatewayError) -> bytes:
    """Return the message for an error."""
    return encode(_Answer(code=error.code, message=str(error)))


def read_report(data: bytes, dimensions: int) -> tuple[Analysis, int]:
    """Return the result of a message, and the length of its drawing.

    Raises the error that the worker process reported, and ValueError. ``dimensions``: the number of dimensions of a
    descriptor.
    """
    answer = decode(data, _Answer)
    if answer.analysis is None:
        raise wire_errors()[answer.code](answer.message)
    analysis = answer.analysis.to_model()
    check_answer(analysis, dimensions)
    return analysis, answer.drawn_bytes
