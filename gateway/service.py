"""The operations, the same whichever door a request came in by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TypeVar

from gateway.errors import Forbidden, GatewayError, TooLarge, Unsupported
from gateway.metrics import Metrics, Stopwatch
from gateway.model import (
    Comparison,
    Descriptor,
    Detection,
    Draw,
    Face,
    FoundFace,
    Judgement,
    Look,
    LookAgain,
    Mark,
    Operation,
    Purpose,
    Recognition,
    Reply,
    Request,
    Search,
    Timing,
)
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.workers.queue import Job, Report

T = TypeVar("T")
U = TypeVar("U")

PURPOSE: Mapping[Operation, Purpose | None] = {
    Operation.FACE_REC: "stream",
    Operation.FACE_MATCH: "enrolment",
    Operation.VERIFY: "stream",
    Operation.DETECT: None,
}
"""How descriptors are made for each operation, if at all: two pictures that are compared are worth the time."""

COMPARISONS = frozenset({Operation.FACE_MATCH, Operation.VERIFY})
"""They take pictures of one face each."""


class Service:
    """``look`` hands a job to the worker processes; ``allowed`` tells what a camera may ask for, ``search`` which faces
    are looked for in its pictures; ``landmarks_68`` whether so many may be asked for.
    """

    def __init__(
        self,
        look: Callable[[Job], Future[Report]],
        gallery: Gallery,
        decision: Decision,
        allowed: Callable[[str], tuple[Operation, ...]],
        search: Callable[[str | None], Search],
        metrics: Metrics,
        *,
        max_bytes: int,
        landmarks_68: bool = True,
    ) -> None:
        self._look = look
        self._gallery = gallery
        self._decision = decision
        self._allowed = allowed
        self._search = search
        self._landmarks_68 = landmarks_68
        self._metrics = metrics
        self._max_bytes = max_bytes

    def submit(self, request: Request) -> Future[Reply]:
        """Never raises: what goes wrong is the future's exception. A frame that a newer one replaced is cancelled."""
        self._metrics.count("requests")
        try:
            self._check(request)
            reply = _then(self._look(self._job(request)), partial(self._reply, request))
            if request.annotate:
                reply = _flat(_then(reply, partial(self._annotated, request)))
        except Exception as error:
            reply = Future()
            reply.set_exception(error)
        reply.add_done_callback(self._count)
        return reply

    def describe(self, picture: bytes) -> FoundFace:
        """The one face in a picture of somebody known, with descriptor and chips; waits for it.

        Raises what is wrong with the picture, Busy, or CancelledError when the gateway goes down.
        """
        self._check_size(picture)
        search = Search(self._search(None).min_face)  # a known face may be as large as it likes
        return self._known(picture, Look(search, "enrolment", chips=True, sole=True))

    def describe_again(self, chips: bytes) -> FoundFace:
        """The same of somebody whose chips were kept, where descriptors are made in another way by now."""
        return self._known(chips, LookAgain())

    def recognise(self, request: Request, report: Report) -> Recognition:
        """Who is it? Each face against everybody known."""
        (seen,) = report.seen
        clock = Stopwatch()
        found = [(face, self._gallery.nearest(_descriptor(face))) for face in seen.faces]
        faces = tuple(_face(face, self._decision.identify(nearest)) for face, nearest in found)
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
            similarity = self._gallery.compare(_descriptor(found[0]), _descriptor(found[1]))
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
            faces=tuple(map(_face, found)),
            timing=_timing(request, report, clock.laps),
            person=person,
        )

    def detect(self, request: Request, report: Report) -> Detection:
        """Where are the faces?"""
        (seen,) = report.seen
        faces = tuple(map(_face, seen.faces))
        return Detection(faces=faces, image=seen.image, timing=_timing(request, report, {}))

    def _job(self, request: Request) -> Job:
        camera, purpose = request.origin.camera, PURPOSE[request.operation]
        return Job(
            request.pictures,
            Look(self._search(camera), purpose, request.landmarks, sole=request.operation in COMPARISONS),
            lane=_lane(request),
            deadline=request.deadline,
            live=request.live,
        )

    def _known(self, picture: bytes, task: Look | LookAgain) -> FoundFace:
        job = Job((picture,), task, lane="known faces", deadline=math.inf)
        return self._look(job).result().seen[0].sole_face()

    def _annotated(self, request: Request, reply: Reply) -> Future[Reply]:
        """The reply with the picture, into which a worker has drawn its faces."""
        assert not isinstance(reply, Comparison)
        marks = Draw(tuple(map(_mark, reply.faces)))
        job = Job(request.pictures, marks, lane=_lane(request), deadline=request.deadline)
        return _then(self._look(job), partial(self._with_picture, request, reply))

    def _with_picture(self, request: Request, reply: Recognition | Detection, report: Report) -> Reply:
        (seen,) = report.seen
        assert seen.drawn is not None
        self._check_size(seen.drawn)  # or the broker might not take it
        timing = {**reply.timing, "annotate": sum(seen.timing.values()), "total": 1000 * request.origin.age()}
        return replace(reply, annotated=seen.drawn, timing=timing)

    def _check(self, request: Request) -> None:
        if request.landmarks == 68 and not self._landmarks_68:
            raise Unsupported("landmarks of 68 points are switched off here; there are 5")
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


def _face(face: FoundFace, judgement: Judgement | None = None) -> Face:
    return Face(face.box, face.quality, face.landmarks, judgement)


def _mark(face: Face) -> Mark:
    """Labelled with the name; faces that nobody asked about are not labelled."""
    person = face.judgement.person if face.judgement else None
    label = person.name if person else face.judgement.verdict if face.judgement else ""
    return Mark(face.box, label, person is not None, face.landmarks)


def _lane(request: Request) -> str:
    lane = request.origin.camera or "over REST"  # no camera is called that
    return f"{lane}/frame" if request.live else lane


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
    first.add_done_callback(lambda done: _settle(second, done, function))
    return second


def _flat(first: Future[Future[T]]) -> Future[T]:
    """The future of what the future within that future will give."""
    last: Future[T] = Future()

    def unwrap(done: Future[Future[T]]) -> None:
        if done.cancelled() or done.exception():
            _settle(last, done, Future.result)
        else:
            done.result().add_done_callback(lambda inner: _settle(last, inner, lambda value: value))

    first.add_done_callback(unwrap)
    return last


def _settle(future: Future[U], done: Future[T], function: Callable[[T], U]) -> None:
    if done.cancelled():
        future.cancel()
        return
    try:
        future.set_result(function(done.result()))
    except Exception as error:  # into the future with it, whatever it is: the door answers
        future.set_exception(error)
