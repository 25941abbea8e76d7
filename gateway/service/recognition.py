"""The operations on pictures, the same for every interface."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import NoReturn

from gateway.contract.coded_warnings import read_warnings
from gateway.contract.people import EnrolledDocument
from gateway.errors import BadImage, Expired, Forbidden
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
)
from gateway.people.decision import Decision
from gateway.people.enrolment import EnrolmentSample
from gateway.people.enrolment_advice import QUALITY_ADVICE
from gateway.people.gallery import Gallery
from gateway.service.annotator import Annotator
from gateway.service.enrolment import PeopleChanges, enrol_once
from gateway.service.face_judge import FaceJudge
from gateway.service.futures import flatten, recover, then
from gateway.service.jobs import analysis_job, reduction_warnings, single_faces, timing_of
from gateway.service.named_answers import BeforeReading, check_nothing
from gateway.service.request_check import RecognitionPolicy, RequestCheck
from gateway.service.request_metrics import count_outcome
from gateway.service.turns import Turns
from gateway.service.verification_limit import VerificationLimit
from gateway.workers.job import Job, Report

ObserveUnknown = Callable[[FoundFace, bytes, Image, str], None]
"""Called with each unknown face, its picture, the size of the picture, and the camera."""


class RecognitionService:
    """The operations on pictures.

    ``run`` hands a job to the worker processes. ``changes`` runs enrolments, among the other changes of people.
    """

    def __init__(
        self,
        run: Callable[[Job], Future[Report]],
        gallery: Gallery,
        decision: Decision,
        people: PeopleChanges,
        changes: Turns,
        policy: RecognitionPolicy,
        metrics: Metrics,
        observe_unknown: ObserveUnknown,
    ) -> None:
        self._run = run
        self._gallery = gallery
        self._decision = decision
        self._judge = FaceJudge(gallery, decision)
        self._attempts = VerificationLimit(policy.failed_verifications_per_hour, policy.count_replicas)
        self._check = RequestCheck(policy, gallery)
        self._annotator = Annotator(run, policy, gallery.__contains__)
        self._people = people
        self._changes = changes
        self._policy = policy
        self._metrics = metrics
        self._observe_unknown = observe_unknown

    def submit(self, request: Request, before_reading: BeforeReading = check_nothing) -> Future[Reply]:
        """Return the future of the reply. The future also gets every exception; none is raised here.

        The future of a live frame that a newer frame replaced is cancelled. ``before_reading``: called when the faces
        are found, before they are compared with the people.
        """
        self._metrics.count("requests")
        try:
            self._check.check(request)
            if request.operation is Operation.VERIFY:
                self._attempts.check(str(request.person), request.origin.caller.audit_text())
            report = self._run(analysis_job(request, self._policy.search(request.origin.camera)))
            if request.operation is Operation.ENROLL:
                reply = flatten(then(report, partial(self._enrol_later, request)))
            else:
                reply = then(report, partial(self._reply_after_analysis, request, before_reading))
            reply = self._annotator.annotate(request, reply)
        except Exception as error:
            reply = Future()
            reply.set_exception(error)
        if request.operation is Operation.ENROLL and request.effect is not None:
            # The camera may have been switched off, or the time may be over, since the enrolment was made.
            reply = recover(reply, (Expired, Forbidden), partial(self._find_stored_later, request))
        reply.add_done_callback(partial(count_outcome, self._metrics))
        return reply

    def _find_stored_later(self, request: Request, error: BaseException) -> Future[Reply]:
        """Let the search for the reply to an enrolment wait for its turn. Raise Busy."""
        return self._changes.submit(request.origin.party, partial(self._find_stored, request, error))

    def _find_stored(self, request: Request, error: BaseException) -> Reply:
        """Return the reply to an enrolment that was made before, else raise the error."""

        def refuse() -> NoReturn:
            raise error

        if not self._people.was_applied(request.effect):
            refuse()
        return self._write_enrolment(request, enrol_once(self._people, request.effect, refuse), None)

    def _enrol_later(self, request: Request, report: Report) -> Future[Reply]:
        """Let an enrolment wait for its turn. Frames do not wait for it. Raise Busy."""
        return self._changes.submit(request.origin.party, partial(self._reply, request, report))

    def recognise(self, request: Request, report: Report) -> Recognition:
        """Compare each face with all enrolled people."""
        (analysis,) = report.analyses
        clock = Stopwatch()
        judgements = self._judge.judge_all(analysis.faces)
        faces = tuple(_face(face, judgement) for face, judgement in zip(analysis.faces, judgements, strict=True))
        clock.lap("match")
        self._report_unknown_faces(request, analysis, faces)
        return Recognition(
            faces=faces,
            image=analysis.image,
            threshold=self._judge.threshold,
            timing=timing_of(request, report, clock.laps),
            dropped=report.dropped,
            left_out=analysis.left_out,
            warnings=self._warnings(report),
        )

    def compare(self, request: Request, report: Report) -> Comparison:
        """Compare the faces of two pictures, or the face of one picture with one person."""
        found = single_faces(request, report)
        clock = Stopwatch()
        names = request.picture_names or ("",)
        descriptors = [self._descriptor(face, name) for face, name in zip(found, names, strict=True)]
        if request.person is None:
            person, pictures = None, 1
            similarity = self._gallery.compare(*descriptors)
        else:
            candidate = self._gallery.compare_person(request.person, *descriptors)
            person, similarity, pictures = candidate.person, candidate.similarity, candidate.pictures
        clock.lap("match")
        score, threshold = self._decision.score(similarity, pictures), self._decision.verification_threshold()
        match = score >= threshold
        if request.person is not None:
            self._attempts.finish(request.person, request.origin.caller.audit_text(), matched=match)
        return Comparison(
            match=match,
            score=score,
            threshold=threshold,
            faces=tuple(map(_face, found)),
            timing=timing_of(request, report, clock.laps),
            person=person,
            warnings=self._warnings(report),
        )

    def detect(self, request: Request, report: Report) -> Detection:
        (analysis,) = report.analyses
        return Detection(
            faces=tuple(map(_face, analysis.faces)),
            image=analysis.image,
            timing=timing_of(request, report, {}),
            left_out=analysis.left_out,
            warnings=self._warnings(report),
        )

    def enrol(self, request: Request, report: Report) -> Enrolment:
        """Enrol the single face of each picture, at most once per request id."""
        faces = single_faces(request, report)
        samples = [EnrolmentSample(picture, face) for picture, face in zip(request.pictures, faces, strict=True)]
        # Not within the change: all other changes would wait for it.
        compared = self._people.compare_samples(samples)
        enrol = partial(
            self._people.enrol, request.name, compared, request.origin.caller, person=request.person, new=True
        )
        done = enrol_once(self._people, request.effect, enrol)
        return self._write_enrolment(request, done, report)

    def _write_enrolment(self, request: Request, done: EnrolledDocument, report: Report | None) -> Enrolment:
        timing = timing_of(request, report, {})
        warnings = read_warnings(done.warnings, done.coded_warnings)
        return Enrolment(Person(done.person, done.name), done.pictures, warnings, timing)

    def _warnings(self, report: Report) -> tuple[str, ...]:
        return reduction_warnings(report, self._policy.picture_limits)

    def _report_unknown_faces(self, request: Request, analysis: Analysis, faces: tuple[Face, ...]) -> None:
        for found, face in zip(analysis.faces, faces, strict=True):
            if face.judgement and face.judgement.verdict == "unknown":
                camera = request.origin.camera or "rest"
                self._observe_unknown(found, request.pictures[0], analysis.image, camera)

    def _descriptor(self, face: FoundFace, picture: str) -> Descriptor:
        """Return the descriptor of a face. Raise BadImage, whose message names the picture unless the name is empty."""
        if face.descriptor is None or self._decision.is_too_small(face.quality):
            reason = self._decision.undescribed_reason(face.quality)
            which = f"the face in {picture}" if picture else "the face"
            raise BadImage(
                f"{which} cannot be compared, since it is {reason.replace('_', ' ')}: {QUALITY_ADVICE[reason]}"
            )
        return face.descriptor

    def _reply_after_analysis(self, request: Request, before_reading: BeforeReading, report: Report) -> Reply:
        # Not before the analysis, which may take long: each removal meanwhile would cost the answer.
        before_reading()
        return self._reply(request, report)

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


def _face(face: FoundFace, judgement: Judgement | None = None) -> Face:
    return Face(face.box, face.quality, face.landmarks, judgement)
