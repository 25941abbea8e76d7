"""The service for live cameras: its thread, and the future of each answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from queue import SimpleQueue

import pytest

from gateway.config import DEFAULT_OPERATIONS
from gateway.errors import BadImage, Forbidden, TooLarge
from gateway.live import service as service_module
from gateway.live.frames import FrameJobs
from gateway.live.looks import Looks
from gateway.live.service import LiveService
from gateway.metrics import Metrics
from gateway.model import (
    Analysis,
    DrawTask,
    FoundFace,
    LiveTask,
    Operation,
    Origin,
    Recognition,
    Request,
    Search,
    SizeLimit,
    Task,
)
from gateway.model.caller import REST_CALLER, camera_caller
from gateway.service.annotator import Annotator
from gateway.service.request_check import RecognitionPolicy, RequestCheck
from gateway.workers.job import Job, Report
from tests.live.conftest import ADAS, PEOPLE
from tests.live.harness import IMAGE, LiveHarness, face
from tests.support import wait_for

TIMEOUT_S = 60


class Workers:
    """Worker processes that keep each job until the test reports its faces."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.tasks: list[Task] = []

    def run(self, job: Job) -> Future[Report]:
        self.jobs.append(job)
        if isinstance(job.task, DrawTask):
            self.tasks.append(job.task)
            job.future.set_result(Report((Analysis(IMAGE, (), {}, drawn=b"drawn"),), 1.0, 0))
        return job.future

    def report(self, *faces: FoundFace) -> None:
        """Let a worker take the last job, and report these faces."""
        job = self.jobs[-1]
        self.tasks.append(job.make_task())
        job.future.set_result(Report((Analysis(IMAGE, faces, {}),), 1.0, 0))


class ServiceHarness:
    """A service with its thread, over workers that the test controls."""

    def __init__(self, data: Path, *, shared: bool = False) -> None:
        self.live = LiveHarness(data, PEOPLE, started=False, shared=shared)
        self.workers, self.metrics = Workers(), Metrics()
        policy = RecognitionPolicy(
            allowed=lambda camera: () if camera == "blind" else DEFAULT_OPERATIONS,
            search=lambda _: Search(min_face=40),
            size_limit=lambda _: SizeLimit(1000),
            check_enabled=self.live.switches.check,
        )
        check = RequestCheck(policy, self.live.people.gallery)
        self.service = LiveService(
            FrameJobs(self.workers.run, check, policy.search, Looks(60, lambda: True, 10)),
            self.live.state,
            self.live.switches,
            Annotator(self.workers.run, policy, self.live.people.gallery.__contains__),
            self.metrics,
            self.live.people.sightings,
            SimpleQueue(),
        )
        self.service.start()

    def submit(self, picture: bytes = b"frame", camera: str = "porch", **options: object) -> Future[object]:
        request = Request(
            operation=Operation.FACE_REC,
            pictures=(picture,),
            valid_for_s=60,
            origin=Origin(caller=camera_caller(camera)),
            live=True,
            **options,  # type: ignore[arg-type]
        )
        return self.service.submit(request)  # type: ignore[return-value]

    def answer(self, picture: bytes) -> Future[Recognition]:
        """Let a worker look at a frame that shows Ada. Return the future of the answer, which is done."""
        answer = self.submit(picture)
        self.workers.report(face(ADAS))
        wait_for(answer.done)
        return answer  # type: ignore[return-value]

    def stop(self) -> None:
        self.service.stop()
        self.live.close()


@pytest.fixture
def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer of the service never runs. To be used before ``harness``."""
    monkeypatch.setattr(service_module, "TICK_S", 3_600.0)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ServiceHarness]:
    harness = ServiceHarness(tmp_path)
    yield harness
    harness.stop()


def test_frame_gets_the_answer_of_its_sighting(harness: ServiceHarness) -> None:
    answer = harness.submit()
    assert not answer.done()
    harness.workers.report(face(ADAS))
    reply = answer.result(TIMEOUT_S)
    assert isinstance(reply, Recognition)
    assert reply.person is not None
    assert reply.person.name == "Ada Lovelace"
    task = harness.workers.tasks[0]
    assert isinstance(task, LiveTask)
    assert task.search == Search(min_face=40)
    counts = harness.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 1, 0)


def test_frame_that_a_newer_one_replaced_is_cancelled(harness: ServiceHarness) -> None:
    answer = harness.submit()
    harness.workers.jobs[0].future.cancel()
    with pytest.raises(CancelledError):
        answer.result(TIMEOUT_S)


def test_error_of_a_worker_is_the_answer(harness: ServiceHarness) -> None:
    answer = harness.submit()
    harness.workers.jobs[0].future.set_exception(BadImage("no picture"))
    with pytest.raises(BadImage, match="no picture"):
        answer.result(TIMEOUT_S)
    assert harness.metrics.snapshot()["errors"] == 1


def test_camera_that_may_not_ask_is_refused_before_a_job_is_made(harness: ServiceHarness) -> None:
    with pytest.raises(Forbidden, match="blind may not ask for face_rec"):
        harness.submit(camera="blind").result(TIMEOUT_S)
    assert harness.workers.jobs == []


def test_bug_in_one_step_ends_neither_the_thread_nor_the_next_answer(
    harness: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(harness.live.cameras, "add_frame", lambda *_: 1 / 0)
        answer = harness.submit()
        harness.workers.report(face(ADAS))
        with pytest.raises(ZeroDivisionError):
            answer.result(TIMEOUT_S)
    answer = harness.submit(b"next")
    harness.workers.report(face(ADAS))
    assert answer.result(TIMEOUT_S)


def test_annotated_frame_is_drawn_with_the_name_of_the_sighting(harness: ServiceHarness) -> None:
    answer = harness.submit(annotate=True)
    harness.workers.report(face(ADAS))
    reply = answer.result(TIMEOUT_S)
    assert isinstance(reply, Recognition)
    assert reply.annotated == b"drawn"
    drawing = harness.workers.tasks[-1]
    assert isinstance(drawing, DrawTask)
    assert [mark.label for mark in drawing.marks] == ["Ada Lovelace"]


def test_switched_off_camera_is_refused_and_forgets_its_frame(harness: ServiceHarness) -> None:
    harness.service.set_enabled("porch", False)
    message = r"switched off for the camera porch: publish ON on facegate/porch/enabled/set"
    with pytest.raises(Forbidden, match=message):
        harness.submit().result(TIMEOUT_S)
    assert harness.workers.jobs == []
    (state,) = harness.service.cameras()
    assert (state.camera, state.enabled) == ("porch", False)
    harness.service.set_enabled("porch", True)
    harness.submit()
    assert len(harness.workers.jobs) == 1


def test_camera_that_was_off_before_its_first_frame_is_announced_with_it(harness: ServiceHarness) -> None:
    harness.service.set_enabled("porch", False)
    harness.service.cameras()
    assert harness.live.announcer.cameras == []
    with pytest.raises(Forbidden):
        harness.submit().result(TIMEOUT_S)
    wait_for(lambda: [each.enabled for each in harness.live.announcer.cameras] == [False], TIMEOUT_S)


def test_number_of_cameras_that_are_off_is_bounded(harness: ServiceHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.live.switches.MAX_SWITCHED_OFF", 2)
    for name in ("one", "two"):
        harness.service.set_enabled(name, False)
    with pytest.raises(TooLarge, match="2 cameras are switched off"):
        harness.service.set_enabled("three", False)
    harness.service.set_enabled("one", True)
    harness.service.set_enabled("three", False)


def test_switch_for_all_cameras_refuses_each_camera(harness: ServiceHarness) -> None:
    harness.service.set_enabled(None, False)
    assert not harness.service.all_enabled
    message = r"switched off for all cameras: publish ON on facegate/bridge/enabled/set"
    with pytest.raises(Forbidden, match=message):
        harness.submit().result(TIMEOUT_S)
    harness.service.set_enabled(None, True)
    harness.submit()
    assert len(harness.workers.jobs) == 1


def test_frame_in_work_when_its_camera_is_switched_off_has_no_answer(harness: ServiceHarness) -> None:
    answer = harness.submit()
    harness.service.set_enabled("porch", False)
    harness.workers.report(face(ADAS))
    with pytest.raises(CancelledError):
        answer.result(TIMEOUT_S)
    assert harness.live.announcer.events == []


def test_other_threads_read_the_state(harness: ServiceHarness) -> None:
    harness.submit()
    harness.workers.report(face(ADAS))
    wait_for(lambda: [each.text for each in harness.service.presences()] == ["Ada Lovelace"], TIMEOUT_S)
    assert [each.camera for each in harness.service.cameras()] == ["porch"]
    present = {each.person.name: each.present for each in harness.service.person_presences()}
    assert present == {"Ada Lovelace": True, "Bob": False}


@pytest.mark.usefixtures("no_timer")
def test_erased_person_is_shown_and_named_nowhere_from_the_reply_on(harness: ServiceHarness) -> None:
    """Regression: until the next look at the people, after up to 0.25 s, the last frame was still there."""
    service, registry = harness.service, harness.live.people.registry
    answer = harness.submit()
    harness.workers.report(face(ADAS))
    answer.result(TIMEOUT_S)
    assert service.last_frame("porch") is not None
    assert service.camera_reports()["porch"].result is not None
    registry.rename("ada_lovelace", "Ada King", REST_CALLER)
    assert [each.person.name for each in service.last_frame("porch").faces if each.person] == ["Ada King"]  # type: ignore[union-attr]
    assert [each.text for each in service.presences()] == ["Ada King"]
    registry.erase("ada_lovelace", REST_CALLER)
    assert service.last_frame("porch") is None
    assert service.camera_reports() == {}
    assert [each.text for each in service.presences()] == ["nobody"]
    assert [each.person.name for each in service.person_presences()] == ["Bob"]
    # An administrator's reply waits for this, so that nothing is announced or sent again either.
    registry.erase("bob", REST_CALLER)
    assert harness.live.announcer.removed == ["ada_lovelace"]
    service.follow_people()
    assert harness.live.announcer.removed == ["ada_lovelace", "bob"]
    service.stop()
    # Nobody waits for a thread that has ended.
    service.follow_people()


@pytest.mark.usefixtures("no_timer")
def test_reply_to_a_change_outlives_a_bug_of_the_live_cameras(
    harness: ServiceHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: the change was made, and its caller got an error."""
    monkeypatch.setattr(harness.live.announcer, "remove_person", lambda _: 1 / 0)
    harness.live.people.registry.erase("bob", REST_CALLER)
    harness.service.follow_people()
    assert "a change of people cannot be followed by the live cameras" in caplog.text


def test_forgotten_camera_is_unknown_until_its_next_frame(harness: ServiceHarness) -> None:
    harness.submit()
    harness.workers.report()
    wait_for(lambda: [each.camera for each in harness.service.cameras()] == ["porch"], TIMEOUT_S)
    harness.service.set_enabled("porch", False)
    harness.service.forget_camera("porch")
    assert harness.service.cameras() == []
    assert harness.live.announcer.removed == ["porch"]
    answer = harness.submit(b"next")
    harness.workers.report()
    answer.result(TIMEOUT_S)
    assert [each.camera for each in harness.service.cameras()] == ["porch"]


def test_frame_in_work_when_its_camera_is_forgotten_does_not_make_it_known_again(harness: ServiceHarness) -> None:
    answer = harness.submit()
    harness.service.forget_camera("porch")
    other = harness.submit(camera="yard")
    yard, porch = harness.workers.jobs.pop(), harness.workers.jobs.pop()
    for job in (porch, yard):
        harness.workers.jobs.append(job)
        harness.workers.report(face(ADAS))
    with pytest.raises(CancelledError):
        answer.result(TIMEOUT_S)
    assert isinstance(other.result(TIMEOUT_S), Recognition)
    assert [each.camera for each in harness.service.cameras()] == ["yard"]
    assert {each.camera for each in harness.live.announcer.presences} == {"yard"}
    # A frame that comes after the forgetting makes it known.
    assert harness.answer(b"next").result(TIMEOUT_S).faces
    assert [each.camera for each in harness.service.cameras()] == ["porch", "yard"]


def test_frame_that_was_looked_at_but_not_followed_does_not_make_a_forgotten_camera_known(
    harness: ServiceHarness,
) -> None:
    is_held, may_go_on = threading.Event(), threading.Event()

    def hold() -> None:
        is_held.set()
        may_go_on.wait()

    answer = harness.submit()
    harness.service.post(hold)
    is_held.wait()
    try:
        # Both wait for the thread of the live cameras: first the frame, then the forgetting.
        harness.workers.report(face(ADAS))
        harness.service.forget_camera("porch")
    finally:
        may_go_on.set()
    assert isinstance(answer.result(TIMEOUT_S), Recognition)
    assert harness.service.cameras() == []
    assert harness.service.presences() == []
    assert harness.live.announcer.removed == ["porch"]


def test_timer_runs_without_frames(harness: ServiceHarness) -> None:
    """The timer announces a person who was enrolled, although no frame comes."""
    harness.live.enrol("Carol", ADAS)
    wait_for(lambda: any(each.person.name == "Carol" for each in harness.live.announcer.people), TIMEOUT_S)


def test_stop_writes_what_is_open(harness: ServiceHarness) -> None:
    answer = harness.submit()
    harness.workers.report(face(ADAS))
    answer.result(TIMEOUT_S)
    harness.service.stop()
    (record,) = harness.live.people.sightings.read_open()
    assert record.sighting.person is not None
    assert record.evidence
