"""The jobs of live frames for the worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from gateway.live.looks import Looks
from gateway.model import Analysis, FoundFace, LiveTask, Request, Search
from gateway.service.face_judge import Judgements
from gateway.service.futures import then
from gateway.service.request_check import RequestCheck
from gateway.workers.job import Job, Report


class LookedAt(NamedTuple):
    """The report about a frame, and the judgements about its faces if they were compared already."""

    report: Report
    judgements: Judgements


class FrameJobs:
    """The part that lets a worker process look at live frames.

    ``run`` hands a job to the worker processes. ``search``: returns the faces to look for in a camera's pictures.
    ``judge_early``: judges the faces of a frame if that takes long. The next job of the worker process waits for it,
    and not the thread of the live cameras, which serves all of them.
    """

    def __init__(
        self,
        run: Callable[[Job], Future[Report]],
        check: RequestCheck,
        search: Callable[[str | None], Search],
        looks: Looks,
        judge_early: Callable[[Sequence[FoundFace]], Judgements] = lambda _faces: None,
    ) -> None:
        self._run = run
        self._check = check
        self._search = search
        self._looks = looks
        self._judge_early = judge_early

    def submit(self, request: Request) -> Future[LookedAt]:
        """Return the future of the report, which is cancelled if a newer frame replaces this one.

        Raises GatewayError for a frame that is not allowed.
        """
        return then(self._look_at(request), self._judge)

    def _judge(self, report: Report) -> LookedAt:
        return LookedAt(report, self._judge_early(report.analyses[0].faces))

    def _look_at(self, request: Request) -> Future[Report]:
        self._check.check(request)
        camera = request.origin.camera
        assert camera is not None
        if request.frigate_event is not None:
            # Such pictures have several sizes, and are taken because something changed: nothing is compared.
            task = LiveTask(self._search(camera), full=True, landmarks=request.landmarks)
            return self._run(Job(request.pictures, task, lane=camera, deadline=request.deadline, live=True))
        made: list[LiveTask] = []

        # Called when a worker takes the job: only then the result of the frame before is known.
        def make_task() -> LiveTask:
            made.append(self._looks.task(camera, self._search(camera), request.landmarks))
            return made[0]

        def record(done: Future[Report]) -> None:
            if not done.cancelled() and not done.exception():
                self._looks.record(camera, made[0], done.result().analyses[0])

        job = Job(request.pictures, make_task, lane=camera, deadline=request.deadline, live=True)
        # The first callback runs first: the next frame of the camera is taken only after all of them.
        job.future.add_done_callback(record)
        return self._run(job)

    def forget(self, camera: str | None) -> None:
        """Forget a camera, or all cameras (None). The next frame is looked at in full."""
        self._looks.forget(camera)

    def note_followed(self, camera: str, analysis: Analysis, followed: int) -> None:
        """Look again at faces that stand still but are not followed, such as those of a camera that was off.

        ``followed``: the number of followed faces in the frame.
        """
        if followed < len(analysis.faces) + len(analysis.still):
            self._looks.look_again(camera)
