"""The operations, the same whichever door a request came in by."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from gateway.errors import Forbidden, GatewayError, TooLarge
from gateway.metrics import Metrics, Stopwatch
from gateway.model import (
    Comparison,
    Descriptor,
    Detection,
    Face,
    FoundFace,
    Look,
    Operation,
    Recognition,
    Reply,
    Request,
    Timing,
)
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.workers.queue import Job, Report

T = TypeVar("T")
U = TypeVar("U")


class Service:
    """``look`` hands a job to the worker processes; ``allowed`` tells what a camera may ask for."""

    def __init__(
        self,
        look: Callable[[Job], Future[Report]],
        gallery: Gallery,
        decision: Decision,
        allowed: Callable[[str], tuple[Operation, ...]],
        metrics: Metrics,
        *,
        max_bytes: int,
    ) -> None:
        self._look = look
        self._gallery = gallery
        self._decision = decision
        self._allowed = allowed
        self._metrics = metrics
        self._max_bytes = max_bytes

    def submit(self, request: Request) -> Future[Reply]:
        """Never raises: what goes wrong is the future's exception. A frame that a newer one replaced is cancelled."""
        self._metrics.count("requests")
        try:
            self._check(request)
            reply = _then(self._look(_job(request)), partial(self._reply, request))
        except Exception as error:
            reply = Future()
            reply.set_exception(error)
        reply.add_done_callback(self._count)
        return reply

    def describe(self, picture: bytes) -> Descriptor:
        """The descriptor of the one face in a picture of somebody known; waits for it.

        Raises what is wrong with the picture, Busy, or CancelledError when the gateway goes down.
        """
        self._check_size(picture)
        job = Job((picture,), Look(), lane="known faces", deadline=math.inf)
        return _descriptor(self._look(job).result().seen[0].sole_face())

    def recognise(self, request: Request, report: Report) -> Recognition:
        """Who is it? Each face against everybody known."""
        (seen,) = report.seen
        clock = Stopwatch()
        found = [(face, self._gallery.nearest(_descriptor(face))) for face in seen.faces]
        faces = tuple(Face(face.box, face.landmarks, self._decision.identify(nearest)) for face, nearest in found)
        clock.lap("match")
        return Recognition(
            faces=faces,
            image=seen.image,
            threshold=self._decision.identification(self._gallery.templates),
            timing=_timing(request, report, clock.laps),
            dropped=report.dropped,
        )

    def compare(self, request: Request, report: Report) -> Comparison:
        """Are these two the same person? Or, with one picture: is it this person?"""
        found = [seen.sole_face() for seen in report.seen]
        clock = Stopwatch()
        if request.person is None:
            person, templates = None, 1
            similarity = float(_descriptor(found[0]) @ _descriptor(found[1]))
        else:
            nearest = self._gallery.of(request.person, _descriptor(found[0]))
            (candidate,) = nearest.candidates
            person, similarity, templates = candidate.person, candidate.similarity, nearest.templates
        clock.lap("match")
        score, threshold = self._decision.score(similarity), self._decision.verification(templates)
        return Comparison(
            match=score >= threshold,
            score=score,
            threshold=threshold,
            faces=tuple(Face(face.box, face.landmarks) for face in found),
            timing=_timing(request, report, clock.laps),
            person=person,
        )

    def detect(self, request: Request, report: Report) -> Detection:
        """Where are the faces?"""
        (seen,) = report.seen
        faces = tuple(Face(face.box, face.landmarks) for face in seen.faces)
        return Detection(faces=faces, image=seen.image, timing=_timing(request, report, {}))

    def _check(self, request: Request) -> None:
        camera = request.origin.camera
        if camera is not None and request.operation not in self._allowed(camera):
            raise Forbidden(f"the camera {camera} may not ask for {request.operation.value}")
        for picture in request.pictures:
            self._check_size(picture)
        if request.person is not None:
            self._gallery.person(request.person)

    def _check_size(self, picture: bytes) -> None:
        if len(picture) > self._max_bytes:
            raise TooLarge(f"the picture has more than {self._max_bytes} bytes")

    def _reply(self, request: Request, report: Report) -> Reply:
        match request.operation:
            case Operation.FACE_REC:
                return self.recognise(request, report)
            case Operation.FACE_MATCH | Operation.VERIFY:
                return self.compare(request, report)
            case Operation.DETECT:
                return self.detect(request, report)

    def _count(self, reply: Future[Reply]) -> None:
        if not reply.cancelled():
            self._metrics.count("errors" if reply.exception() else "replies")


def _job(request: Request) -> Job:
    lane = request.origin.camera or "over REST"  # no camera is called that
    return Job(
        request.pictures,
        Look(descriptors=request.operation is not Operation.DETECT, landmarks=request.landmarks),
        lane=f"{lane}/frame" if request.live else lane,
        deadline=request.deadline,
        live=request.live,
    )


def _descriptor(face: FoundFace) -> Descriptor:
    if face.descriptor is None:
        raise GatewayError("the worker gave no descriptor")
    return face.descriptor


def _timing(request: Request, report: Report, laps: Timing) -> Timing:
    steps = {"queue": report.queue_ms}
    for seen in report.seen:
        for step, ms in seen.timing.items():
            steps[step] = steps.get(step, 0) + ms
    return {**steps, **laps, "total": 1000 * request.origin.age()}


def _then(first: Future[T], function: Callable[[T], U]) -> Future[U]:
    """The future of ``function`` of its result; its exception and cancellation are passed on."""
    second: Future[U] = Future()

    def pass_on(done: Future[T]) -> None:
        if done.cancelled():
            second.cancel()
            return
        try:
            second.set_result(function(done.result()))
        except Exception as error:  # into the future with it, whatever it is: the door answers
            second.set_exception(error)

    first.add_done_callback(pass_on)
    return second
