"""Descriptions of faces to enrol, made by the worker processes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from gateway.model import (
    AnalyseTask,
    DrawTask,
    FaceMark,
    FoundFace,
    Polygon,
    RedescribeTask,
    Search,
    ShowChipsTask,
    SizeLimit,
)
from gateway.people.vision import Drawing, drawing_version
from gateway.workers.job import Job, Report

# The space keeps it apart from the names of cameras.
ENROLMENT_LANE = "known faces"
"""The lane for these jobs in the queue."""

# An import of many pictures must not delay the pictures of a page.
SHOWN_LANE = "pictures for pages"
"""The lane for pictures that people look at."""

MAX_DRAWING_S = 30.0
"""The time for which a page waits for a picture."""


def _whole_picture(_camera: str) -> Search:
    return Search()


class WorkerVision:
    """The vision that people/ needs (people/vision.py). Each method waits for a worker process, or returns a Drawing.

    Every method raises GatewayError for a picture that cannot be used, Busy, and CancelledError when the gateway stops.
    Faces may be of any size from ``min_face`` pixels on.
    """

    def __init__(
        self,
        run: Callable[[Job], Future[Report]],
        *,
        min_face: int,
        size_limit: SizeLimit,
        search: Callable[[str], Search] = _whole_picture,
    ) -> None:
        """``run`` hands a job to the worker processes. ``search``: of a camera, for its mounting and ``never``."""
        self._run = run
        self._search = search
        self._min_face = min_face
        self._size_limit = size_limit

    def describe_picture(self, picture: bytes) -> FoundFace:
        """Return the only face in a picture, with descriptor and chips."""
        self._size_limit.check(len(picture))
        return self._describe(picture, AnalyseTask(Search(self._min_face), "enrolment", chips=True, single_face=True))

    def describe_part(self, picture: bytes, place: Polygon, camera: str) -> FoundFace:
        """Return the only face in a part of a camera's picture. ``place``: in the upright picture."""
        search = replace(self._search(camera), min_face=self._min_face, max_face=None, only=(place,))
        return self._describe(picture, AnalyseTask(search, "enrolment", chips=True, single_face=True))

    def describe_chips(self, chips: bytes) -> FoundFace:
        """Return an enrolled face, described from its stored chips with the present engine."""
        return self._describe(chips, RedescribeTask())

    def show_chips(self, chips: bytes) -> Drawing:
        """Return the drawing of the face of chips."""
        return self._drawing(chips, ShowChipsTask())

    def draw_frame(self, frame: bytes, camera: str, marks: Sequence[FaceMark], width: int | None) -> Drawing:
        """Return the drawing of a camera's picture with marks, without the regions that ``never`` leaves out."""
        search = self._search(camera)
        task = DrawTask(tuple(marks), search.mounting, search.never, self._size_limit, width)
        return self._drawing(frame, task)

    def show_picture(self, picture: bytes, width: int | None) -> Drawing:
        """Return the drawing of a stored picture, reduced to a width. Without a width it is the picture itself."""
        task = DrawTask((), size_limit=self._size_limit, width=width)
        return self._drawing(picture, task) if width else Drawing(drawing_version(picture, None), lambda: picture)

    def _drawing(self, picture: bytes, task: ShowChipsTask | DrawTask) -> Drawing:
        return Drawing(drawing_version(picture, task), partial(self._draw, picture, task))

    def _draw(self, picture: bytes, task: ShowChipsTask | DrawTask) -> bytes:
        job = Job((picture,), task, lane=SHOWN_LANE, deadline=time.monotonic() + MAX_DRAWING_S)
        (analysis,) = self._run(job).result().analyses
        assert analysis.drawn is not None
        return analysis.drawn

    def _describe(self, picture: bytes, task: AnalyseTask | RedescribeTask) -> FoundFace:
        job = Job((picture,), task, lane=ENROLMENT_LANE, deadline=math.inf)
        return self._run(job).result().analyses[0].single_face()
