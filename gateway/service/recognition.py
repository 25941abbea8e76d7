"""The operations on pictures, the same for every interface."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gateway.errors import BadImage, Forbidden, Unsupported
from gateway.metrics import Metrics, Stopwatch
from gateway.model import (
    Analysis,
    Comparison,
    Descriptor,
    Detection,
    Enrolment,
    Face,
    FoundFace,
    Image,
    Judgement,
    Operation,
    Person,
    Recognition,
    Reply,
    Request,
    Search,
    SizeLimit,
)
from gateway.people.decision import Decision
from gateway.people.enrolment import EnrolmentSample
from gateway.people.enrolment_advice import QUALITY_ADVICE
from gateway.people.gallery import Gallery
from gateway.service.enrolment import PeopleChanges, enrol_once
from gateway.service.futures import flatten, then
from gateway.service.jobs import analysis_job, drawing_job, single_faces, timing_of
from gateway.workers.job import Job, Report

ObserveUnknown = Callable[[FoundFace, bytes, Image, str], None]
"""Called with each unknown face, its picture, the size of the picture, and the camera."""


@dataclass(frozen=True, slots=True)
class RecognitionPolicy:
    """The settings for requests about pictures.

    ``allowed``: the operations that a camera may ask for. ``search``: the faces to look for in the pictures of a
    camera, or of REST (None). ``size_limit``: of an encoded picture, likewise. ``landmarks_68``: 68 landmarks may be
    asked for.
    """

    allowed: Callable[[str], tuple[Operation, ...]]
    search: Callable[[str | None], Search]
    size_limit: Callable[[str | None], SizeLimit]
    landmarks_68: bool = True


class RecognitionService:
    """The operations on pictures.

    ``run`` hands a job to the worker processes. ``changes`` runs enrolments, so that they do not delay frames.
    """

    def __init__(
        self,
        run: Callable[[Job], Future[Report]],
        gallery: Gallery,
        decision: Decision,
        people: PeopleChanges,
        changes: Executor,
        policy: RecognitionPolicy,
        metrics: Metrics,
        observe_unknown: ObserveUnknown,
    ) -> None:
        self._run = run
        self._gallery = gallery
        self._decision = decision
        self._people = people
        self._changes = changes
        self._policy = policy
        self._metrics = metrics
        self._observe_unknown = observe_unknown

    def submit(self, request: Request) -> Future[Reply]:
        """Return the future of the reply. The future also gets every exception; none is raised here.

        The future of a live frame that a newer frame replaced is cancelled.
        """
        self._metrics.count("requests")
        try:
            self._check(request)
            report = self._run(analysis_job(request, self._policy.search(request.origin.camera)))
            if request.operation is Operation.ENROLL:
                reply = flatten(then(report, lambda done: self._changes.submit(self._reply, request, done)))
            else:
                reply = then(report, partial(self._reply, request))
            if request.annotate:
                reply = flatten(then(reply, partial(self._annotate, request)))
        except Exception as error:
            reply = Future()
            reply.set_exception(error)
        reply.add_done_callback(self._count)
        return reply

    def recognise(self, request: Request, report: Report) -> Recognition:
        """Compare each face with all enrolled people."""
        (analysis,) = report.analyses
        clock = Stopwatch()
        people = len(self._gallery)
        limits = self._decision.similarity_limits(people)
        faces = tuple(_face(face, self._judge(face, limits)) for face in analysis.faces)
        clock.lap("match")
        self._report_unknown_faces(request, analysis, faces)
        return Recognition(
            faces=faces,
            image=analysis.image,
            threshold=self._decision.identification_threshold(people),
            timing=timing_of(request, report, clock.laps),
            dropped=report.dropped,
            left_out=analysis.left_out,
        )

    def compare(self, request: Request, report: Report) -> Comparison:
        """Compare the faces of two pictures, or the face of one picture with one person."""
        found = single_faces(report)
        clock = Stopwatch()
        if request.person is None:
            person, pictures = None, 1
            similarity = self._gallery.compare(self._descriptor(found[0]), self._descriptor(found[1]))
        else:
            candidate = self._gallery.compare_person(request.person, self._descriptor(found[0]))
            person, similarity, pictures = candidate.person, candidate.similarity, candidate.pictures
        clock.lap("match")
        score, threshold = self._decision.score(similarity, pictures), self._decision.verification_threshold()
        return Comparison(
            match=score >= threshold,
            score=score,
            threshold=threshold,
            faces=tuple(map(_face, found)),
            timing=timing_of(request, report, clock.laps),
            person=person,
        )

    def detect(self, request: Request, report: Report) -> Detection:
        (analysis,) = report.analyses
        return Detection(
            faces=tuple(map(_face, analysis.faces)),
            image=analysis.image,
            timing=timing_of(request, report, {}),
            left_out=analysis.left_out,
        )

    def enrol(self, request: Request, report: Report) -> Enrolment:
        """Enrol the single face of each picture, at most once per request id."""
        faces = single_faces(report)
        samples = [EnrolmentSample(picture, face) for picture, face in zip(request.pictures, faces, strict=True)]
        enrol = partial(
            self._people.enrol, request.name, samples, request.origin.caller, person=request.person, new=True
        )
        done = enrol_once(self._people, request.effect, enrol)
        timing = timing_of(request, report, {})
        return Enrolment(Person(done.person, done.name), done.pictures, tuple(done.warnings), timing)

    def _judge(self, face: FoundFace, limits: NDArray[np.float32]) -> Judgement:
        if face.descriptor is None:
            return Judgement(self._decision.undescribed_reason(face.quality))
        return self._decision.identify(self._gallery.nearest(face.descriptor, limits), face.quality)

    def _report_unknown_faces(self, request: Request, analysis: Analysis, faces: tuple[Face, ...]) -> None:
        for found, face in zip(analysis.faces, faces, strict=True):
            if face.judgement and face.judgement.verdict == "unknown":
                camera = request.origin.camera or "rest"
                self._observe_unknown(found, request.pictures[0], analysis.image, camera)

    def _descriptor(self, face: FoundFace) -> Descriptor:
        if face.descriptor is None or self._decision.is_too_small(face.quality):
            reason = self._decision.undescribed_reason(face.quality)
            raise BadImage(
                f"the face cannot be compared, since it is {reason.replace('_', ' ')}: {QUALITY_ADVICE[reason]}"
            )
        return face.descriptor

    def _annotate(self, request: Request, reply: Reply) -> Future[Reply]:
        """Return the future of the reply with the picture, into which a worker has drawn the faces."""
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

    def _check(self, request: Request) -> None:
        """Raise GatewayError for a request that the settings or the enrolled people do not allow."""
        if request.landmarks == 68 and not self._policy.landmarks_68:
            raise Unsupported(
                "landmarks of 68 points are switched off: ask for landmarks=5 or 468, or set landmarks_68: mesh"
            )
        camera = request.origin.camera
        if camera is not None and request.operation not in self._policy.allowed(camera):
            operation = request.operation.value
            raise Forbidden(
                f"the camera {camera} may not ask for {operation}: add {operation} to operations, or to"
                f" cameras.{camera}.operations if the camera has a list of its own"
            )
        for picture in request.pictures:
            self._policy.size_limit(camera).check(len(picture))
        if request.operation is Operation.VERIFY and request.person is not None:
            # Raises UnknownPerson.
            self._gallery.person(request.person)

    def _reply(self, request: Request, report: Report) -> Reply:
        match request.operation:
            case Operation.FACE_REC:
                return self.recognise(request, report)
            case Operation.FACE_MATCH | Operation.VERIFY:
                return self.compare(request, report)
            case Operation.DETECT:
                return self.detect(request, report)
            case Operation.ENROLL:
                return self.enrol(request, report)

    def _count(self, reply: Future[Reply]) -> None:
        if not reply.cancelled():
            self._metrics.count("errors" if reply.exception() else "replies")


def _face(face: FoundFace, judgement: Judgement | None = None) -> Face:
    return Face(face.box, face.quality, face.landmarks, judgement)
