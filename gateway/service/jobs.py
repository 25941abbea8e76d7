"""The jobs for worker processes that a request about pictures needs."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model import (
    AnalyseTask,
    Detection,
    DrawTask,
    Face,
    FaceMark,
    FoundFace,
    Operation,
    PictureLimits,
    Purpose,
    Recognition,
    Request,
    Search,
    SizeLimit,
    Timing,
    name_picture,
)
from gateway.model.coded_warnings import CodedWarning
from gateway.workers.job import Job, Report

# Two pictures that are compared with each other are worth the time of an enrolment.
PURPOSE: Mapping[Operation, Purpose | None] = {
    Operation.FACE_REC: "stream",
    Operation.FACE_MATCH: "enrolment",
    Operation.VERIFY: "stream",
    Operation.DETECT: None,
    Operation.ENROLL: "enrolment",
}
"""The purpose of the descriptors for each operation, or None for no descriptors."""

SINGLE_FACE_OPERATIONS = frozenset({Operation.FACE_MATCH, Operation.VERIFY, Operation.ENROLL})
"""The operations whose pictures must have one face each."""

# The space keeps it apart from the names of cameras.
REST_LANE = "the REST client"


def analysis_job(request: Request, search: Search) -> Job:
    """Return the job that finds and describes the faces of a request."""
    task = AnalyseTask(
        search,
        PURPOSE[request.operation],
        request.landmarks,
        head_pose=request.operation is Operation.DETECT,
        chips=request.operation is Operation.ENROLL,
        single_face=request.operation in SINGLE_FACE_OPERATIONS,
    )
    return _job(request, task, live=request.live)


def drawing_job(request: Request, reply: Recognition | Detection, search: Search, limit: SizeLimit) -> Job:
    """Return the job that draws the faces of a reply into the picture. ``limit``: of the picture with the drawing."""
    return _job(request, DrawTask(tuple(map(mark_face, reply.faces)), search.mounting, search.never, limit))


def single_faces(request: Request, report: Report) -> list[FoundFace]:
    """Return the only face of each picture. Raise NoFace or MultipleFaces. Of two pictures, the error names one."""
    names = request.picture_names or (name_picture(None),)
    return [analysis.single_face(name) for analysis, name in zip(report.analyses, names, strict=True)]


def timing_of(request: Request, report: Report | None, laps: Timing) -> Timing:
    """Return the milliseconds of all steps. ``report``: of the analysis, if there was one. ``laps``: further steps."""
    steps = {"queue": 0.0 if report is None else report.queue_ms}
    for analysis in () if report is None else report.analyses:
        for step, ms in analysis.timing.items():
            steps[step] = steps.get(step, 0) + ms
    return {**steps, **laps, "total": 1000 * request.origin.age()}


def reduction_warnings(report: Report, limits: PictureLimits) -> tuple[str, ...]:
    """Return a warning about each picture that was reduced while it was decoded."""
    images = [analysis.image for analysis in report.analyses]
    return tuple(
        CodedWarning(
            f"the picture has {image.width} x {image.height} pixels, more than {limits.pixels} (limits.pixels): it was"
            f" reduced to {limits.eighths(image.width, image.height)}/8 of its sides, and small faces may be missing",
            "reduced_picture",
            picture=number if len(images) > 1 else None,
        )
        for number, image in enumerate(images, 1)
        if image.width * image.height > limits.pixels
    )


def _job(request: Request, task: AnalyseTask | DrawTask, live: bool = False) -> Job:
    camera = request.origin.camera
    return Job(
        request.pictures,
        task,
        names=request.picture_names,
        lane=camera or f"{REST_LANE} {request.origin.sender}".strip(),
        deadline=request.deadline,
        live=live,
        # A program may send the pictures of many cameras: it gets more of the queue than a camera.
        shared=camera is not None,
        request_id=request.origin.log_id,
    )


def mark_face(face: Face) -> FaceMark:
    """Return the drawing of a face. Its label is the name or the verdict, empty without a judgement."""
    label = face.person.name if face.person else face.verdict or ""
    return FaceMark(face.box, label, face.person is not None, face.landmarks)
