"""Faces to be known, described by the worker processes for whoever can wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future

from gateway.model import AnalyseTask, FoundFace, Polygon, RedescribeTask, Rotation, Search, check_size
from gateway.workers.job import Job, Report

LANE = "known faces"
"""No camera is called that: they have a share of the queue for themselves."""


class Describer:
    """``look`` hands a job to the worker processes. A known face may be as large as it likes, not so small.

    All wait, and raise what is wrong with the picture, Busy, or CancelledError when the gateway goes down.
    """

    def __init__(
        self,
        look: Callable[[Job], Future[Report]],
        *,
        min_face: int,
        max_bytes: int,
        rotation: Callable[[str], Rotation] = lambda _camera: 0,
    ) -> None:
        """``rotation``: by how much pictures of a camera are turned."""
        self._look = look
        self._rotation = rotation
        self._min_face = min_face
        self._max_bytes = max_bytes

    def picture(self, picture: bytes) -> FoundFace:
        """The one face in a picture, with descriptor and chips."""
        check_size(picture, self._max_bytes)
        return self._sole(picture, AnalyseTask(Search(self._min_face), "enrolment", chips=True, single_face=True))

    def part(self, picture: bytes, place: Polygon, camera: str) -> FoundFace:
        """The same of the one face in a part of a camera's picture. ``place``: in the turned picture."""
        search = Search(self._min_face, only=(place,), rotate=self._rotation(camera))
        return self._sole(picture, AnalyseTask(search, "enrolment", chips=True, single_face=True))

    def again(self, chips: bytes) -> FoundFace:
        """The same of somebody whose chips were kept, where descriptors are made in another way by now."""
        return self._sole(chips, RedescribeTask())

    def _sole(self, picture: bytes, task: AnalyseTask | RedescribeTask) -> FoundFace:
        job = Job((picture,), task, lane=LANE, deadline=math.inf)
        return self._look(job).result().analyses[0].single_face()
