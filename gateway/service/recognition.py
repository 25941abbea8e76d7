"""The operations, the same whichever door a request came in by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.contract.base import Document
from gateway.contract.people import EnrolledDocument
from gateway.errors import BadImage, Conflict, Forbidden, Unsupported
from gateway.metrics import Metrics, Stopwatch
from gateway.model import (
    AnalyseTask,
    Analysis,
    Comparison,
    Descriptor,
    Detection,
    DrawTask,
    Effect,
    Enrolment,
    Face,
    FaceMark,
    FoundFace,
    Image,
    Judgement,
    Operation,
    Person,
    Purpose,
    Recognition,
    Reply,
    Request,
    Search,
    Timing,
    check_size,
)
from gateway.model.caller import Caller
from gateway.people.decision import Decision
from gateway.people.enrolment import EnrolmentSample
from gateway.people.enrolment_advice import QUALITY_ADVICE
from gateway.people.gallery import Gallery
from gateway.service.futures import flatten, then
from gateway.store.records import PersonEntry
from gateway.workers.job import Job, Report

PURPOSE: Mapping[Operation, Purpose | None] = {
    Operation.FACE_REC: "stream",
    Operation.FACE_MATCH: "enrolment",
    Operation.VERIFY: "stream",
    Operation.DETECT: None,
    Operation.ENROLL: "enrolment",
}
"""How descriptors are made for each operation, if at all: two pictures that are compared are worth the time."""


class People(Protocol):
    """Makes faces known as somebody's, and that once (people/registry.py)."""

    def enrol(
        self,
        name: str | None,
        samples: Sequence[EnrolmentSample],
        caller: Caller,
        *,
        person: str | None = None,
        new: bool = False,
    ) -> tuple[PersonEntry, tuple[str, ...]]: ...

    def apply_once(self, effect: Effect | None, change: Callable[[], Document]) -> Document | None: ...


SINGLE_FACE_OPERATIONS = frozenset({Operation.FACE_MATCH, Operation.VERIFY, Operation.ENROLL})
"""They take pictures of one face each."""


class Service:
    """``look`` hands a job to the worker processes; ``allowed`` tells what a camera may ask for, ``search`` which faces
    are looked for in its pictures; ``landmarks_68`` whether so many may be asked for. ``changes`` runs what changes who
    is known, off the way of a frame; ``on_stranger`` is told of each face that nobody knows.
    """

    def __init__(
        self,
        look: Callable[[Job], Future[Report]],
        gallery: Gallery,
        decision: Decision,
        people: People,
        changes: Executor,
        allowed: Callable[[str], tuple[Operation, ...]],
        search: Callable[[str | None], Search],
        metrics: Metrics,
        *,
        on_stranger: Callable[[FoundFace, bytes, Image, str], None],
        max_bytes: int,
        landmarks_68: bool = True,
    ) -> None:
        self._look = look
        self._gallery = gallery
        self._decision = decision
        self._people = people
        self._changes = changes
        self._allowed = allowed
        self._search = search
        self._landmarks_68 = landmarks_68
        self._metrics = metrics
        self._on_stranger = on_stranger
        self._max_bytes = max_bytes

    def submit(self, request: Request) -> Future[Reply]:
        """Never raises: what goes wrong is the future's exception. A frame that a newer one replaced is cancelled."""
        self._metrics.count("requests")
        try:
            self._check(request)
            report = self._look(self._job(request))
            if request.operation is Operation.ENROLL:
                reply = flatten(then(report, lambda seen: self._changes.submit(self._reply, request, seen)))
            else:
                reply = then(report, partial(self._reply, request))
            if request.annotate:
                reply = flatten(then(reply, partial(self._annotated, request)))
        except Exception as error:
            reply = Future()
            reply.set_exception(error)
        reply.add_done_callback(self._count)
        return reply

    def recognise(self, request: Request, report: Report) -> Recognition:
        """Who is it? Each face against everybody known."""
        (seen,) = report.analyses
        clock = Stopwatch()
        people = len(self._gallery)
        limits = self._decision.similarity_limits(people)
        faces = tuple(_face(face, self._judge(face, limits)) for face in seen.faces)
        clock.lap("match")
        self._tell_strangers(request, seen, faces)
        return Recognition(
            faces=faces,
            image=seen.image,
            threshold=self._decision.identification_threshold(people),
            timing=_timing(request, report, clock.laps),
            dropped=report.dropped,
            left_out=seen.left_out,
        )

    def _judge(self, face: FoundFace, limits: NDArray[np.float32]) -> Judgement:
        if face.descriptor is None:
            return Judgement(self._decision.undescribed_reason(face.quality))
        return self._decision.identify(self._gallery.nearest(face.descriptor, limits), face.quality)

    def compare(self, request: Request, report: Report) -> Comparison:
        """Are these two the same person? Or, with one picture: is it this person?"""
        found = _sole_faces(report)
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
            timing=_timing(request, report, clock.laps),
            person=person,
        )

    def detect(self, request: Request, report: Report) -> Detection:
        """Where are the faces?"""
        (seen,) = report.analyses
        faces = tuple(map(_face, seen.faces))
        timing = _timing(request, report, {})
        return Detection(faces=faces, image=seen.image, timing=timing, left_out=seen.left_out)

    def enrol(self, request: Request, report: Report) -> Enrolment:
        """Makes the one face of each picture known."""
        faces = _sole_faces(report)
        samples = [EnrolmentSample(picture, face) for picture, face in zip(request.pictures, faces, strict=True)]

        def change() -> Document:
            caller = request.origin.caller
            entry, warnings = self._people.enrol(request.name, samples, caller, person=request.person, new=True)
            person = entry.person
            return EnrolledDocument(
                person=person.slug, name=person.name, pictures=entry.picture_count, warnings=list(warnings)
            ).document()

        done = self._people.apply_once(request.effect, change)
        if done is None:
            raise Conflict("that was done, and whom it was about is not known any more")
        person = Person(done["person"], done["name"])
        return Enrolment(person, done["pictures"], tuple(done["warnings"]), _timing(request, report, {}))

    def _tell_strangers(self, request: Request, seen: Analysis, faces: tuple[Face, ...]) -> None:
        for found, face in zip(seen.faces, faces, strict=True):
            if face.judgement and face.judgement.verdict == "unknown":
                self._on_stranger(found, request.pictures[0], seen.image, request.origin.camera or "rest")

    def _descriptor(self, face: FoundFace) -> Descriptor:
        if face.descriptor is None:
            reason = self._decision.undescribed_reason(face.quality)
            raise BadImage(
                f"the face cannot be compared, since it is {reason.replace('_', ' ')}: {QUALITY_ADVICE[reason]}"
            )
        return face.descriptor

    def _job(self, request: Request) -> Job:
        camera, purpose = request.origin.camera, PURPOSE[request.operation]
        return Job(
            request.pictures,
            AnalyseTask(
                self._search(camera),
                purpose,
                request.landmarks,
                chips=request.operation is Operation.ENROLL,
                single_face=request.operation in SINGLE_FACE_OPERATIONS,
            ),
            lane=_lane(request),
            deadline=request.deadline,
            live=request.live,
            shared=camera is not None,  # over REST come many, by one lane
        )

    def _annotated(self, request: Request, reply: Reply) -> Future[Reply]:
        """The reply with the picture, into which a worker has drawn its faces."""
        assert isinstance(reply, Recognition | Detection)
        marks = DrawTask(tuple(map(_mark, reply.faces)), self._search(request.origin.camera).rotate)
        shared = request.origin.camera is not None
        job = Job(request.pictures, marks, lane=_lane(request), deadline=request.deadline, shared=shared)
        return then(self._look(job), partial(self._with_picture, request, reply))

    def _with_picture(self, request: Request, reply: Recognition | Detection, report: Report) -> Reply:
        (seen,) = report.analyses
        assert seen.drawn is not None
        check_size(seen.drawn, self._max_bytes)  # or the broker might not take it
        timing = {**reply.timing, "annotate": sum(seen.timing.values()), "total": 1000 * request.origin.age()}
        return replace(reply, annotated=seen.drawn, timing=timing)

    def _check(self, request: Request) -> None:
        if request.landmarks == 68 and not self._landmarks_68:
            raise Unsupported("landmarks of 68 points are switched off (landmarks_68): ask for 5")
        camera = request.origin.camera
        if camera is not None and request.operation not in self._allowed(camera):
            raise Forbidden(f"the camera {camera} may not ask for {request.operation.value}")
        for picture in request.pictures:
            check_size(picture, self._max_bytes)
        if request.operation is Operation.VERIFY and request.person is not None:
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


def _mark(face: Face) -> FaceMark:
    """Labelled with the name; faces that nobody asked about are not labelled."""
    person = face.judgement.person if face.judgement else None
    label = person.name if person else face.judgement.verdict if face.judgement else ""
    return FaceMark(face.box, label, person is not None, face.landmarks)


def _lane(request: Request) -> str:
    return request.origin.camera or "over REST"  # no camera is called that


def _sole_faces(report: Report) -> list[FoundFace]:
    """Return the one face of each picture. Raises NoFace or MultipleFaces, which say in which of several pictures."""
    if len(report.analyses) == 1:
        return [report.analyses[0].single_face()]
    return [seen.single_face(f"picture {number}") for number, seen in enumerate(report.analyses, 1)]


def _timing(request: Request, report: Report, laps: Timing) -> Timing:
    steps = {"queue": report.queue_ms}
    for seen in report.analyses:
        for step, ms in seen.timing.items():
            steps[step] = steps.get(step, 0) + ms
    return {**steps, **laps, "total": 1000 * request.origin.age()}
