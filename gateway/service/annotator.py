"""The picture of a reply, with the faces drawn in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

from gateway.model import Detection, Recognition, Reply, Request
from gateway.service.futures import flatten, then
from gateway.service.jobs import drawing_job
from gateway.service.request_check import RecognitionPolicy
from gateway.workers.job import Job, Report


class Annotator:
    """The part that lets a worker process draw faces into a picture. ``run`` hands a job to the worker processes."""

    def __init__(self, run: Callable[[Job], Future[Report]], policy: RecognitionPolicy) -> None:
        self._run = run
        self._policy = policy

    def annotate(self, request: Request, reply: Future[Reply]) -> Future[Reply]:
        """Return the future of the reply, with the picture if the request asks for it."""
        return flatten(then(reply, partial(self._draw, request))) if request.annotate else reply

    def _draw(self, request: Request, reply: Reply) -> Future[Reply]:
        # Request refuses ``annotate`` for all other operations.
        assert isinstance(reply, Recognition | Detection)
        job = drawing_job(request, reply, self._policy.search(request.origin.camera))
        return then(self._run(job), partial(self._add_picture, request, reply))

    def _add_picture(self, request: Request, reply: Recognition | Detection, report: Report) -> Reply:
        (analysis,) = report.analyses
        assert analysis.drawn is not None
        # The broker might not accept a message with a larger picture.
        self._policy.size_limit(request.origin.camera).check(len(analysis.drawn))
        timing = {**reply.timing, "annotate": sum(analysis.timing.values()), "total": 1000 * request.origin.age()}
        return replace(reply, annotated=analysis.drawn, timing=timing)
