"""The service for live cameras: one thread owns the state of all of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from gateway.errors import GatewayError, SwitchedOff
from gateway.live.answers import write_answer
from gateway.live.camera import FollowedFace
from gateway.live.frames import FrameJobs, LookedAt
from gateway.live.frames_in_work import FramesInWork
from gateway.live.history import History
from gateway.live.moment import Moment, current_moment
from gateway.live.state import LiveState
from gateway.live.switches import Switches
from gateway.metrics import Metrics, Stopwatch
from gateway.model import Person, Recognition, Reply, Request, Timing
from gateway.model.cameras import CameraReport, LastFrame
from gateway.model.sightings import CameraState, EventType, PersonPresence, Presence, Sighting
from gateway.service.annotator import Annotator
from gateway.service.futures import settle_by
from gateway.service.request_metrics import count_outcome
from gateway.store.protocols import Sightings
from gateway.workers.job import Report

log = logging.getLogger(__name__)

TICK_S = 0.25
"""Time between two looks at what has ended."""

CALL_TIMEOUT_S = 10.0
"""Longest wait of another thread for the state."""

Tasks = SimpleQueue[Callable[[], object]]

T = TypeVar("T")


class LiveService:
    """The frames, sightings and presence of all live cameras. Every method may be called by any thread.

    ``store``: the history, read at the start. ``tasks``: functions for the thread to call.
    """

    def __init__(
        self,
        frames: FrameJobs,
        state: LiveState,
        switches: Switches,
        annotator: Annotator,
        metrics: Metrics,
        store: Sightings,
        tasks: Tasks,
        clock: Callable[[], Moment] = current_moment,
    ) -> None:
        self._frames = frames
        self.state = state
        self._switches = switches
        self._annotator = annotator
        self._metrics = metrics
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._in_work = FramesInWork(self.post)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live")

    def start(self) -> None:
        """Continue the sightings of the last run, announce the state of everything, and start the thread.

        Raises GatewayError if the store fails.
        """
        history = History.read_all(self._store)
        # Not in the thread: the gateway connects to the broker after this, and must not publish a name of the last run.
        self.state.start(history, self._clock())
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Open sightings stay in the store: they go on after the next start."""
        self._stopping.set()
        self._tasks.put(self.state.stop)
        if self._thread.is_alive():
            self._thread.join()

    def submit(self, request: Request) -> Future[Reply]:
        """Return the future of the answer to a live frame. The future also gets every exception.

        The future is cancelled if a newer frame replaces this one, or if the frame must not change anything.
        """
        self._metrics.count("requests")
        answer: Future[Reply] = Future()
        try:
            looked = self._frames.submit(request)
        except Exception as error:
            if isinstance(error, SwitchedOff):
                self.post(lambda: self.state.note_refused(request))
            answer.set_exception(error)
        else:
            self._in_work.add(request, answer)
            looked.add_done_callback(lambda done: self.post(partial(self._follow, request, done, answer)))
        drawn = self._annotator.annotate(request, answer)
        drawn.add_done_callback(partial(count_outcome, self._metrics))
        return drawn

    @property
    def all_enabled(self) -> bool:
        """The switch for all cameras."""
        return self._switches.all_on

    def set_enabled(self, camera: str | None, on: bool) -> None:
        """Switch recognition on or off for a camera, or for all cameras (None)."""
        self._switches.turn(camera, on)
        self.note_switched(camera)

    def note_switched(self, camera: str | None) -> None:
        """Follow a switch that was turned: of a camera, or for None the one for all cameras."""
        # Nothing of its pictures stays. When it is on again, it may show somebody who has stood still for long.
        self._frames.forget(camera)
        self.post(lambda: self.state.note_switch(camera, self._clock()))

    def note_alive(self, camera: str) -> None:
        """Note that a camera works, although it sends frames only when something happens."""
        self.post(lambda: self.state.note_alive(camera, self._clock()))

    def cameras(self) -> list[CameraState]:
        """Return the states of all cameras that are known."""
        return self.call(lambda: self.state.camera_states(self._clock()))

    def presences(self) -> list[Presence]:
        """Return the presence on each camera that is known."""
        return self.call(self.state.presences)

    def person_presences(self) -> list[PersonPresence]:
        """Return where each enrolled person is, or was last."""
        return self.call(self.state.person_presences)

    def camera_reports(self) -> Mapping[str, CameraReport]:
        """Return what the last frames of each camera showed, if frames of it came."""
        return self.call(lambda: self.state.reports.reports(self._clock()))

    def last_frame(self, camera: str) -> LastFrame | None:
        """Return the last frame of a camera, if it is still in memory."""
        return self.call(lambda: self.state.reports.last_frame(camera))

    def correct(self, sighting: Sighting, event_type: EventType, previous: Person | None) -> None:
        """Note and announce that a user corrected a sighting (``not_them``, ``confirmed``), which may have ended.

        ``sighting``: as it is now in the store; ``previous``: the person whom it was named as before.
        """
        self.post(lambda: self.state.correct(sighting, event_type, previous, self._clock()))

    @property
    def is_running(self) -> bool:
        """True while the thread runs. Before the start, the state of everything is still to be read."""
        return self._thread.is_alive() and not self._stopping.is_set()

    def follow_people(self) -> None:
        """Wait until nothing here names or shows a person who was removed, or has an old name."""
        if self.is_running:
            try:
                self.call(lambda: None)
            # The change itself is made, and its caller must learn that.
            except FutureTimeout:
                log.error("the live cameras have not learned of a change of people within %g s", CALL_TIMEOUT_S)
            except Exception:
                log.exception("a bug in the gateway: a change of people cannot be followed by the live cameras")

    def forget_camera(self, name: str) -> None:
        """Forget a camera and its switch. Frames that are being analysed do not make it known again, later ones do."""
        self._switches.turn(name, on=True)
        self.drop_frames({name})
        self.post(lambda: self.state.forget_camera(name, self._clock()))

    def post(self, task: Callable[[], object]) -> None:
        """Let the thread of the live cameras call a function."""
        self._tasks.put(task)

    def drop_frames(self, cameras: Collection[str]) -> None:
        """Forget what the last frames of these cameras showed. The frames in work get no answer, and change nothing."""
        self._in_work.drop(cameras)
        for camera in cameras:
            self._frames.forget(camera)

    def call(self, function: Callable[[], T]) -> T:
        """Let the thread of the live cameras call a function, and return the result. Raise its exception."""

        def call() -> T:
            # An erasure holds from its answer on, and the next tick may come later.
            self.state.follow_people(self._clock())
            return function()

        result: Future[T] = Future()
        self.post(partial(settle_by, result, call))
        return result.result(CALL_TIMEOUT_S)

    def _follow(self, request: Request, looked: Future[LookedAt], answer: Future[Reply]) -> None:
        """Answer a frame after a worker process has looked at it."""
        if looked.cancelled() or answer.cancelled():
            answer.cancel()
            return
        try:
            clock = Stopwatch()
            report, judgements = looked.result()
            faces = self.state.cameras.add_frame(request, report.analyses[0], judgements)
            clock.lap("match")
            reply = None if faces is None else self._write(request, report, faces, clock.laps)
        # Any exception, or the camera would never get an answer.
        except Exception as problem:
            if not isinstance(problem, GatewayError):
                log.exception("a live frame cannot be followed")
            answer.set_exception(problem)
            return
        if reply is None:
            answer.cancel()
        else:
            answer.set_result(reply)

    def _write(self, request: Request, report: Report, faces: Sequence[FollowedFace], laps: Timing) -> Recognition:
        (analysis,), camera = report.analyses, request.origin.camera
        assert camera is not None
        self._frames.note_followed(camera, analysis, len(faces))
        answer = write_answer(request, report, faces, self.state.cameras.threshold, laps)
        self.state.reports.note(request, answer, self._clock())
        return answer

    def _run(self) -> None:
        next_tick = time.monotonic()
        while not (self._stopping.is_set() and self._tasks.empty()):
            with suppress(Empty):
                self._try(self._tasks.get(timeout=max(next_tick - time.monotonic(), 0)))
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + TICK_S
                self._try(lambda: self.state.tick(self._clock()))

    def _try(self, task: Callable[[], object]) -> None:
        # A bug in one step must not end the recognition for all cameras.
        try:
            task()
        except Exception:
            log.exception("a bug in the gateway: a step of the live cameras failed")
