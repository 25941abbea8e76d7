"""The picture of a reply, with the faces drawn in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from gateway.errors import Busy
from gateway.model import Detection, Recognition, Reply, Request
from gateway.service.futures import flatten, then
from gateway.service.jobs import drawing_job
from gateway.service.request_check import RecognitionPolicy
from gateway.workers.job import Job, Report

RETRY_S = 1
"""Seconds after which a picture may be sent again."""


class Annotator:
    """The part that lets a worker process draw faces into a picture. ``run`` hands a job to the worker processes.

    ``is_enrolled``: returns whether a person with this id is enrolled.
    """

    def __init__(
        self,
        run: Callable[[Job], Future[Report]],
        policy: RecognitionPolicy,
        is_enrolled: Callable[[str], bool],
    ) -> None:
        self._run = run
        self._policy = policy
        self._is_enrolled = is_enrolled

    def annotate(self, request: Request, reply: Future[Reply]) -> Future[Reply]:
        """Return the future of the reply, with the picture if the request asks for it."""
        return flatten(then(reply, partial(self._draw, request))) if request.annotate else reply

    def _draw(self, request: Request, reply: Reply) -> Future[Reply]:
        # Request refuses ``annotate`` for all other operations.
        assert isinstance(reply, Recognition | Detection)
        camera = request.origin.camera
        # The broker might not accept a message with a larger picture.
        job = drawing_job(request, reply, self._policy.search(camera), self._policy.size_limit(camera))
        return then(self._run(job), partial(self._add_picture, request, reply))

    def _add_picture(self, request: Request, reply: Recognition | Detection, report: Report) -> Reply:
        (analysis,) = report.analyses
        assert analysis.drawn is not None
        # The drawing may have waited for a worker process. The name of somebody who was removed meanwhile is in it.
        if any(face.person is not None and not self._is_enrolled(face.person.slug) for face in reply.faces):
            raise Busy("a person on the picture was removed in the meantime: send the picture again", RETRY_S)
        timing = {**reply.timing, "annotate": sum(analysis.timing.values()), "total": 1000 * request.origin.age()}
        return replace(reply, annotated=analysis.drawn, timing=timing)
