from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pytest

from gateway.config import DEFAULT_OPERATIONS
from gateway.contract.base import Document
from gateway.errors import (
    BadImage,
    Busy,
    Expired,
    Forbidden,
    MultipleFaces,
    NoFace,
    Timeout,
    TooLarge,
    UnknownPerson,
    Unsupported,
)
from gateway.metrics import Metrics
from gateway.model import (
    AnalyseTask,
    Analysis,
    Box,
    Comparison,
    Descriptor,
    Detection,
    DrawTask,
    Effect,
    Enrolment,
    FaceMark,
    FoundFace,
    Image,
    LandmarkCount,
    Mounting,
    Operation,
    Origin,
    Person,
    Purpose,
    Recognition,
    Reply,
    Request,
    Search,
    SizeLimit,
)
from gateway.model.caller import Caller, camera_caller
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.enrolment import EnrolmentSample
from gateway.people.gallery import Gallery
from gateway.service.recognition import RecognitionService
from gateway.service.request_check import RecognitionPolicy, RequestCheck
from gateway.service.turns import MAX_WAITING, Turns
from gateway.store.records import Changes, GallerySnapshot, PersonEntry
from gateway.workers.job import Job, Report
from tests.examples import ALICE, BOB, BOX, CAROL, QUALITY, descriptor, near, seen
from tests.support import WAIT_S

ALICES, BOBS, NOBODYS = descriptor(1), descriptor(2), descriptor(3)
MAX_BYTES, MAX_FILE_BYTES = 1000, 3000
DECISION = Decision(0.01, 0.001, measured_curves("facegate"))
FRONT_DOOR = Origin(caller=camera_caller("front"))
SIDEWAYS = Mounting(270)
FAR = Search(20, 60, never=(((0, 0), (1, 0), (1, 0.5)),))
DRAWN = b"\xff\xd8 a picture with boxes"

Answer = Callable[[Future[Report]], None]
T = TypeVar("T")


def give_drawn(future: Future[Report]) -> None:
    future.set_result(Report((Analysis(Image(640, 480, 5000), (), {"annotate": 9.0}, DRAWN),), 1.0, 0))


@dataclass
class Workers:
    """Worker processes that finish every job immediately: with ``seen``, or by ``answer``; drawings by ``draw``."""

    seen: tuple[Analysis, ...] = ()
    answer: Answer | None = None
    draw: Answer = give_drawn
    jobs: list[Job] = field(default_factory=list)

    def run(self, job: Job) -> Future[Report]:
        self.jobs.append(job)
        if isinstance(job.task, DrawTask):
            self.draw(job.future)
        elif self.answer:
            self.answer(job.future)
        else:
            job.future.set_result(Report(self.seen, queue_ms=7.0, dropped=2))
        return job.future


def allowed_operations(camera: str) -> tuple[Operation, ...]:
    return (Operation.DETECT,) if camera == "blind" else tuple(Operation)


def size_limit_of(camera: str | None) -> SizeLimit:
    return SizeLimit(MAX_FILE_BYTES, "limits.file_bytes") if camera is None else SizeLimit(MAX_BYTES)


def search_of(camera: str | None) -> Search:
    return FAR if camera == "far" else Search(mounting=SIDEWAYS) if camera == "sideways" else Search()


class ImmediateExecutor(Executor):
    def submit(self, fn: Callable[..., T], /, *args: object, **kwargs: object) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class RecognitionHarness:
    """A recognition service with Alice and Bob enrolled, over workers that are ready."""

    def __init__(
        self,
        *pictures: Analysis,
        answer: Answer | None = None,
        draw: Answer = give_drawn,
        landmarks_68: bool = True,
        changes: Executor | None = None,
    ) -> None:
        self.workers = Workers(pictures, answer, draw)
        self.metrics = Metrics()
        self.gallery = Gallery()
        self.enrol_only((ALICE, ALICES), (BOB, BOBS))
        self.enrolled: list[tuple[str, list[bytes], Caller]] = []
        self.observations: list[tuple[FoundFace, bytes, Image, str]] = []
        self.service = RecognitionService(
            self.workers.run,
            self.gallery,
            DECISION,
            self,
            Turns(changes or ImmediateExecutor()),
            RecognitionPolicy(allowed_operations, search_of, size_limit_of, landmarks_68),
            self.metrics,
            lambda *observation: self.observations.append(observation),
        )

    def enrol_only(self, *people: tuple[Person, Descriptor], pictures: int = 1) -> None:
        """Enrol these people instead of all others, each with so many pictures."""
        keys = np.arange(len(people)) + 1
        faces = np.array([face for _, face in people], np.float32).reshape(-1, 128)
        counts = np.full(len(people), pictures)
        nobody = np.empty((0, 128), np.float32), np.empty(0, np.int64)
        snapshot = GallerySnapshot(keys, [person for person, _ in people], faces, counts, *nobody)
        self.gallery.apply(Changes(1, snapshot, [1, 2, 3]))

    def compare_samples(self, samples: Sequence[EnrolmentSample]) -> Sequence[EnrolmentSample]:
        return samples

    def enrol(
        self,
        name: str | None,
        samples: Sequence[EnrolmentSample],
        caller: Caller,
        *,
        person: str | None = None,
        new: bool = False,
    ) -> tuple[PersonEntry, tuple[str, ...]]:
        assert new
        self.enrolled.append((name or person or "", [sample.picture for sample in samples], caller))
        return PersonEntry(CAROL, 1.0, ()), ("too few",)

    def apply_once(self, effect: Effect | None, change: Callable[[], Document]) -> Document | None:
        return change()

    def was_applied(self, effect: Effect | None) -> bool:
        return False

    def complete_reply(self, effect: Effect | None, reply: Document, complete: Document) -> Document | None:
        raise AssertionError

    def ask(self, operation: Operation, **changes: object) -> Reply:
        return self.service.submit(request(operation, **changes)).result(timeout=0)

    def recognise(self, **changes: object) -> Recognition:
        reply = self.ask(Operation.FACE_REC, **changes)
        assert isinstance(reply, Recognition)
        return reply

    def compare(self, operation: Operation) -> Comparison:
        reply = self.ask(operation)
        assert isinstance(reply, Comparison)
        return reply


def request(operation: Operation, **changes: object) -> Request:
    person = "alice" if operation is Operation.VERIFY else None
    pictures = (b"x",) * (2 if operation is Operation.FACE_MATCH else 1)
    content: dict[str, object] = {"pictures": pictures, "valid_for_s": 60, "person": person}
    return Request(operation=operation, **{**content, **changes})  # type: ignore[arg-type]  # tests know what they pass


def verdicts(reply: Recognition) -> list[tuple[str, str | None]]:
    judged = [face.judgement for face in reply.faces]
    return [(each.verdict, each.person.slug if each.person else None) for each in judged if each]


def test_camera_is_refused_an_operation_that_it_may_not_ask_for() -> None:
    harness = RecognitionHarness(seen(ALICES))
    with pytest.raises(
        Forbidden, match=r"blind may not ask for face_rec: add face_rec to operations, or to cameras\.blind\.operations"
    ):
        harness.ask(Operation.FACE_REC, origin=Origin(caller=camera_caller("blind")))
    assert not harness.workers.jobs


def test_camera_gets_an_operation_that_it_may_ask_for() -> None:
    assert isinstance(
        RecognitionHarness(seen(ALICES)).ask(Operation.DETECT, origin=Origin(caller=camera_caller("blind"))), Detection
    )


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [(Operation.FACE_REC, (1001,)), (Operation.FACE_MATCH, (1, 1001)), (Operation.DETECT, (1001,))],
)
def test_picture_over_the_limit_is_refused_without_a_job(operation: Operation, pictures: tuple[int, ...]) -> None:
    harness = RecognitionHarness()
    with pytest.raises(TooLarge, match=r"more than 1000 \(limits\.bytes\)"):
        harness.ask(operation, pictures=tuple(map(bytes, pictures)), origin=FRONT_DOOR)
    assert not harness.workers.jobs


def test_picture_over_rest_has_a_limit_of_its_own() -> None:
    """A file of a phone is larger than a frame of a camera."""
    harness = RecognitionHarness(seen())
    assert harness.recognise(pictures=(bytes(MAX_FILE_BYTES),)).faces == ()
    with pytest.raises(TooLarge, match=r"3001 bytes, more than 3000 \(limits\.file_bytes\)"):
        harness.recognise(pictures=(bytes(MAX_FILE_BYTES + 1),))


def test_picture_at_the_limit_is_analysed() -> None:
    pictures = (bytes(MAX_BYTES),)
    assert RecognitionHarness(seen()).recognise(pictures=pictures, origin=FRONT_DOOR).faces == ()


def test_unknown_person_is_refused_without_a_job() -> None:
    harness = RecognitionHarness(seen(ALICES))
    with pytest.raises(UnknownPerson, match="carol"):
        harness.ask(Operation.VERIFY, person="carol")
    assert not harness.workers.jobs


def test_verify_fails_for_a_person_who_was_removed_meanwhile() -> None:
    def forget(future: Future[Report]) -> None:
        harness.enrol_only()
        future.set_result(Report((seen(ALICES),), 0, 0))

    harness = RecognitionHarness(answer=forget)
    with pytest.raises(UnknownPerson):
        harness.ask(Operation.VERIFY)


def test_each_face_is_recognised_separately() -> None:
    reply = RecognitionHarness(seen(near(BOBS, 0.99), NOBODYS, near(ALICES, 0.99))).recognise()
    assert verdicts(reply) == [("match", "bob"), ("unknown", None), ("match", "alice")]


def test_face_like_two_people_is_ambiguous() -> None:
    harness = RecognitionHarness(seen(near(ALICES, 0.99)))
    harness.enrol_only((ALICE, ALICES), (BOB, near(ALICES, 0.99)))
    assert verdicts(harness.recognise()) == [("ambiguous", None)]


@pytest.mark.parametrize("operation", [Operation.FACE_REC, Operation.DETECT])
def test_reply_has_the_number_of_left_out_faces(operation: Operation) -> None:
    reply = RecognitionHarness(replace(seen(ALICES), left_out=452)).ask(operation)
    assert isinstance(reply, Recognition | Detection)
    assert (len(reply.faces), reply.left_out) == (1, 452)


def test_left_out_faces_count_where_one_face_is_needed() -> None:
    with pytest.raises(MultipleFaces, match="there are 454 faces"):
        RecognitionHarness(replace(seen(ALICES, BOBS), left_out=452)).ask(Operation.VERIFY)


def lying(**seen_badly: Any) -> Analysis:
    """Return an analysis of a face that could not be turned upright, so that it has no descriptor."""
    return Analysis(Image(640, 480, 5000), (FoundFace(BOX, quality=replace(QUALITY, pose=0.0, **seen_badly)),), {})


SEEN_BADLY = [
    ({"brightness": 0.03}, "too_dark"),
    ({"pixels": 5}, "too_small"),
    ({"sharpness": 0.0}, "blurred"),
    ({"inside": 0.1}, "cut_off"),
]


@pytest.mark.parametrize(("quality", "verdict"), SEEN_BADLY)
def test_face_of_too_low_quality_to_be_turned_upright_gets_that_verdict(
    quality: dict[str, float], verdict: str
) -> None:
    """Regression: a very dark face was called turned, with the advice to look at the camera."""
    assert verdicts(RecognitionHarness(lying(**quality)).recognise()) == [(verdict, None)]
    with pytest.raises(BadImage, match=f"cannot be compared, since it is {verdict.replace('_', ' ')}: "):
        RecognitionHarness(lying(**quality)).ask(Operation.VERIFY)


@pytest.mark.parametrize("operation", [Operation.FACE_MATCH, Operation.VERIFY])
def test_face_below_the_measured_size_is_not_compared(operation: Operation) -> None:
    """Regression: it was confirmed, though face_rec gave it no name."""
    small = Analysis(Image(640, 480, 5000), (FoundFace(BOX, ALICES, quality=replace(QUALITY, pixels=49)),), {})
    with pytest.raises(BadImage, match="cannot be compared, since it is too small: come closer"):
        RecognitionHarness(*[small] * (2 if operation is Operation.FACE_MATCH else 1)).ask(operation)


def test_comparison_names_the_picture_without_a_face() -> None:
    with pytest.raises(NoFace, match="no face in picture 2"):
        RecognitionHarness(seen(ALICES), seen()).ask(Operation.FACE_MATCH)
    with pytest.raises(MultipleFaces, match="2 faces in picture 1"):
        RecognitionHarness(seen(ALICES, BOBS), seen(ALICES)).ask(Operation.FACE_MATCH)


def test_face_that_cannot_be_turned_upright_is_turned_and_not_observed() -> None:
    harness = RecognitionHarness(lying())
    assert verdicts(harness.recognise()) == [("turned", None)]
    assert not harness.observations


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [
        (Operation.VERIFY, [lying()]),
        (Operation.FACE_MATCH, [lying(), seen(ALICES)]),
        (Operation.FACE_MATCH, [lying(), lying()]),
    ],
)
def test_face_that_cannot_be_turned_upright_is_not_compared(operation: Operation, pictures: list[Analysis]) -> None:
    with pytest.raises(BadImage, match="it is turned: look at the camera"):
        RecognitionHarness(*pictures).ask(operation)


def test_face_is_unknown_to_an_empty_gallery() -> None:
    harness = RecognitionHarness(seen(ALICES))
    harness.enrol_only()
    assert verdicts(harness.recognise()) == [("unknown", None)]


def test_recognition_has_the_size_of_the_picture_and_the_timing() -> None:
    reply = RecognitionHarness(seen(ALICES)).recognise()
    assert (reply.image, reply.dropped) == (Image(640, 480, 5000), 2)
    assert reply.threshold == DECISION.identification_threshold(2)
    assert list(reply.timing) == ["queue", "decode", "detect", "embed", "match", "total"]
    assert reply.timing["queue"] == 7


@pytest.mark.parametrize(("cosine", "same"), [(0.99, True), (0.9, False), (0.0, False)])
def test_face_match_of_one_person_or_of_two(cosine: float, same: bool) -> None:
    reply = RecognitionHarness(seen(NOBODYS), seen(near(NOBODYS, cosine))).compare(Operation.FACE_MATCH)
    assert (reply.match, reply.person, len(reply.faces)) == (same, None, 2)
    assert reply.threshold == DECISION.verification_threshold()
    assert reply.match == (reply.score >= reply.threshold)


@pytest.mark.parametrize(("cosine", "same"), [(0.99, True), (0.9, False)])
def test_verify_of_the_claimed_person_or_of_another(cosine: float, same: bool) -> None:
    harness = RecognitionHarness(seen(near(ALICES, cosine)))
    harness.enrol_only((ALICE, ALICES), (BOB, BOBS))
    reply = harness.compare(Operation.VERIFY)
    assert (reply.match, reply.person) == (same, ALICE)
    assert reply.threshold == DECISION.verification_threshold()


def test_verify_fails_for_another_enrolled_person() -> None:
    assert not RecognitionHarness(seen(BOBS)).compare(Operation.VERIFY).match


def test_timing_adds_up_both_pictures() -> None:
    timing = RecognitionHarness(seen(ALICES), seen(BOBS)).compare(Operation.FACE_MATCH).timing
    assert (timing["detect"], timing["queue"]) == (60, 7)


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [
        (Operation.VERIFY, [seen()]),
        (Operation.FACE_MATCH, [seen(), seen(ALICES)]),
        (Operation.FACE_MATCH, [seen(ALICES), seen()]),
    ],
)
def test_comparison_without_a_face_fails(operation: Operation, pictures: list[Analysis]) -> None:
    with pytest.raises(NoFace):
        RecognitionHarness(*pictures).ask(operation)


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [
        (Operation.VERIFY, [seen(ALICES, BOBS)]),
        (Operation.FACE_MATCH, [seen(ALICES, BOBS), seen(ALICES)]),
        (Operation.FACE_MATCH, [seen(ALICES), seen(ALICES, BOBS)]),
    ],
)
def test_comparison_with_a_second_face_fails(operation: Operation, pictures: list[Analysis]) -> None:
    with pytest.raises(MultipleFaces):
        RecognitionHarness(*pictures).ask(operation)


def test_detection_makes_no_descriptors() -> None:
    harness = RecognitionHarness(seen(None, None))
    reply = harness.ask(Operation.DETECT)
    assert isinstance(reply, Detection)
    assert [face.judgement for face in reply.faces] == [None, None]
    assert harness.workers.jobs[0].task == AnalyseTask(descriptors=None, head_pose=True)


@pytest.mark.parametrize(
    ("operation", "purpose"),
    [
        (Operation.FACE_REC, "stream"),
        (Operation.VERIFY, "stream"),
        (Operation.FACE_MATCH, "enrolment"),
        (Operation.DETECT, None),
    ],
)
def test_descriptors_are_made_for_the_purpose_of_the_operation(operation: Operation, purpose: Purpose | None) -> None:
    harness = RecognitionHarness(*[seen(ALICES)] * (2 if operation is Operation.FACE_MATCH else 1))
    harness.ask(operation)
    sole = operation in (Operation.VERIFY, Operation.FACE_MATCH)
    task = AnalyseTask(descriptors=purpose, head_pose=operation is Operation.DETECT, single_face=sole)
    assert [job.task for job in harness.workers.jobs] == [task]


def test_search_follows_the_settings_of_the_camera() -> None:
    harness = RecognitionHarness(seen(ALICES))
    for origin in (Origin(caller=camera_caller("far")), Origin(caller=camera_caller("porch")), Origin()):
        harness.recognise(origin=origin)
    assert [job.task for job in harness.workers.jobs] == [AnalyseTask(FAR), AnalyseTask(), AnalyseTask()]


@pytest.mark.parametrize("operation", DEFAULT_OPERATIONS)
def test_face_in_a_reply_has_its_quality(operation: Operation) -> None:
    reply = RecognitionHarness(*[seen(ALICES)] * (2 if operation is Operation.FACE_MATCH else 1)).ask(operation)
    assert not isinstance(reply, Enrolment)
    assert {face.quality for face in reply.faces} == {QUALITY}


@pytest.mark.parametrize("count", [5, 68, 468])
def test_requested_landmarks_are_in_the_reply(count: LandmarkCount) -> None:
    points = {"chin": [(1, 2)]}
    picture = Analysis(Image(1, 1, 1), (FoundFace(Box(0, 0, 1, 1), ALICES, points),), {})
    harness = RecognitionHarness(picture)
    assert harness.recognise(landmarks=count).faces[0].landmarks == points
    assert harness.workers.jobs[0].task == AnalyseTask(landmarks=count)


@pytest.mark.parametrize("operation", DEFAULT_OPERATIONS)
def test_switched_off_landmarks_are_refused_without_a_job(operation: Operation) -> None:
    harness = RecognitionHarness(landmarks_68=False)
    with pytest.raises(Unsupported, match=r"68 points are switched off: .* landmarks_68: mesh"):
        harness.ask(operation, landmarks=68)
    assert not harness.workers.jobs


@pytest.mark.parametrize("count", [0, 5, 468])
def test_other_landmarks_work_where_68_are_switched_off(count: LandmarkCount) -> None:
    harness = RecognitionHarness(seen(ALICES), landmarks_68=False)
    harness.recognise(landmarks=count)
    assert harness.workers.jobs[0].task == AnalyseTask(landmarks=count)


def cancel(future: Future[Report]) -> None:
    future.cancel()


def fail(error: Exception) -> Answer:
    return lambda future: future.set_exception(error)


def drawing_of(*marks: FaceMark) -> DrawTask:
    """Return the task to draw into a picture over REST. The drawn picture may be as large as the one that came."""
    return DrawTask(marks, size_limit=size_limit_of(None))


def test_faces_are_drawn_with_name_or_verdict() -> None:
    harness = RecognitionHarness(seen(near(BOBS, 0.99), NOBODYS))
    reply = harness.recognise(annotate=True, pictures=(b"picture",), origin=Origin(received=1000.0))
    assert reply.annotated == DRAWN
    assert verdicts(reply) == [("match", "bob"), ("unknown", None)]
    _, drawing = harness.workers.jobs
    assert drawing.task == drawing_of(FaceMark(BOX, "Bob", known=True), FaceMark(BOX, "unknown", known=False))
    assert (drawing.pictures, drawing.deadline, drawing.live) == ((b"picture",), 1060, False)


def test_faces_are_drawn_into_the_upright_picture() -> None:
    harness = RecognitionHarness(seen(ALICES))
    harness.recognise(annotate=True, origin=Origin(caller=camera_caller("sideways")))
    looked, drawn = (job.task for job in harness.workers.jobs)
    assert isinstance(looked, AnalyseTask)
    assert isinstance(drawn, DrawTask)
    assert (looked.search.mounting, drawn.mounting) == (SIDEWAYS, SIDEWAYS)


def test_ambiguous_face_is_drawn_as_ambiguous_and_not_as_known() -> None:
    harness = RecognitionHarness(seen(near(ALICES, 0.99)))
    harness.enrol_only((ALICE, ALICES), (BOB, near(ALICES, 0.99)))
    harness.recognise(annotate=True)
    assert harness.workers.jobs[1].task == drawing_of(FaceMark(BOX, "ambiguous", known=False))


def test_detected_faces_are_drawn_without_a_label() -> None:
    harness = RecognitionHarness(seen(None, None))
    reply = harness.ask(Operation.DETECT, annotate=True)
    assert isinstance(reply, Detection)
    assert (reply.annotated, len(reply.faces)) == (DRAWN, 2)
    assert harness.workers.jobs[1].task == drawing_of(*[FaceMark(BOX, "", known=False)] * 2)


def test_requested_landmarks_are_drawn() -> None:
    points = {"nose_tip": [(1, 2)]}
    harness = RecognitionHarness(Analysis(Image(9, 9, 1), (FoundFace(BOX, None, points),), {}))
    harness.ask(Operation.DETECT, annotate=True, landmarks=5)
    assert harness.workers.jobs[1].task == drawing_of(FaceMark(BOX, "", known=False, landmarks=points))


def test_picture_without_faces_is_annotated_too() -> None:
    harness = RecognitionHarness(seen())
    assert harness.recognise(annotate=True).annotated == DRAWN
    assert harness.workers.jobs[1].task == drawing_of()


def test_nothing_is_drawn_without_a_request() -> None:
    harness = RecognitionHarness(seen(ALICES))
    assert harness.recognise().annotated is None
    assert len(harness.workers.jobs) == 1


@pytest.mark.parametrize(
    "error", [Unsupported("too long for a JPEG"), Timeout("slow"), RuntimeError("a bug in the gateway")]
)
def test_failed_drawing_fails_the_request(error: Exception) -> None:
    harness = RecognitionHarness(seen(ALICES), draw=fail(error))
    assert harness.service.submit(request(Operation.FACE_REC, annotate=True)).exception(timeout=0) is error
    counts = harness.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 0, 1)


def test_drawing_that_finds_the_queue_full_gets_busy() -> None:
    def refuse(_future: Future[Report]) -> None:
        raise busy

    busy = Busy("full", 3)
    harness = RecognitionHarness(seen(ALICES), draw=refuse)
    assert harness.service.submit(request(Operation.DETECT, annotate=True)).exception(timeout=0) is busy


@pytest.mark.parametrize("error", [Expired("too late"), RuntimeError("a bug in the gateway")])
def test_failed_analysis_is_not_drawn(error: Exception) -> None:
    harness = RecognitionHarness(answer=fail(error))
    assert harness.service.submit(request(Operation.FACE_REC, annotate=True)).exception(timeout=0) is error
    assert len(harness.workers.jobs) == 1


def test_cancelled_drawing_cancels_the_reply() -> None:
    harness = RecognitionHarness(seen(ALICES), draw=cancel)
    assert harness.service.submit(request(Operation.FACE_REC, annotate=True)).cancelled()
    counts = harness.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 0, 0)


def test_replaced_frame_is_not_drawn() -> None:
    harness = RecognitionHarness(answer=cancel)
    assert harness.service.submit(request(Operation.FACE_REC, annotate=True, live=True)).cancelled()
    assert len(harness.workers.jobs) == 1


def test_annotated_reply_is_counted_once() -> None:
    harness = RecognitionHarness(seen(ALICES))
    harness.recognise(annotate=True)
    counts = harness.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 1, 0)


def test_annotated_reply_waits_for_its_drawing() -> None:
    waiting: list[Future[Report]] = []
    harness = RecognitionHarness(seen(ALICES), draw=waiting.append)
    reply = harness.service.submit(request(Operation.FACE_REC, annotate=True))
    assert not reply.done()
    give_drawn(waiting[0])
    found = reply.result(timeout=0)
    assert isinstance(found, Recognition)
    assert found.annotated == DRAWN


def lane(origin: Origin, live: bool = False) -> str:
    harness = RecognitionHarness(seen())
    harness.recognise(origin=origin, live=live)
    return harness.workers.jobs[0].lane


def test_each_camera_and_rest_have_lanes_of_their_own() -> None:
    assert len({lane(Origin()), lane(Origin(caller=camera_caller("a"))), lane(Origin(caller=camera_caller("b")))}) == 3


def test_frames_and_requests_of_a_camera_share_its_lane() -> None:
    """The camera is charged for both."""
    assert lane(Origin(caller=camera_caller("a")), live=True) == lane(Origin(caller=camera_caller("a")))


def test_camera_called_rest_does_not_share_the_lane_of_rest() -> None:
    assert lane(Origin(caller=camera_caller("rest"))) != lane(Origin())


def test_job_has_the_deadline_of_its_request() -> None:
    harness = RecognitionHarness(seen())
    harness.recognise(valid_for_s=60, origin=Origin(received=1000.0), live=True)
    assert (harness.workers.jobs[0].deadline, harness.workers.jobs[0].live) == (1060, True)


def test_replaced_frame_is_cancelled_and_counted_as_neither_reply_nor_error() -> None:
    harness = RecognitionHarness(answer=cancel)
    assert harness.service.submit(request(Operation.FACE_REC, live=True)).cancelled()
    counts = harness.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 0, 0)


@pytest.mark.parametrize("error", [Expired("too late"), RuntimeError("a bug in the gateway")])
def test_error_of_a_worker_is_the_exception_of_the_future(error: Exception) -> None:
    harness = RecognitionHarness(answer=lambda future: future.set_exception(error))
    assert harness.service.submit(request(Operation.FACE_REC)).exception(timeout=0) is error
    assert harness.metrics.snapshot()["errors"] == 1


@pytest.mark.parametrize("error", [Busy("full", 3), RuntimeError("a bug in the gateway")])
def test_error_before_a_worker_is_the_exception_of_the_future(error: Exception) -> None:
    def refuse(_future: Future[Report]) -> None:
        raise error

    harness = RecognitionHarness(answer=refuse)
    assert harness.service.submit(request(Operation.FACE_REC)).exception(timeout=0) is error


def test_requests_and_replies_are_counted() -> None:
    harness = RecognitionHarness(seen(ALICES))
    harness.recognise()
    counts = harness.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 1, 0)


def test_face_of_low_quality_gets_the_reason_as_its_verdict() -> None:
    dark = FoundFace(BOX, ALICES, quality=replace(QUALITY, brightness=0.01))
    harness = RecognitionHarness(replace(seen(ALICES), faces=(dark,)))
    assert verdicts(harness.recognise()) == [("too_dark", None)]
    assert harness.observations == []


def test_request_of_a_camera_that_is_switched_off_is_refused() -> None:
    harness = RecognitionHarness(seen(ALICES))

    def refuse(camera: str) -> None:
        raise Forbidden(f"recognition is switched off for the camera {camera}")

    policy = RecognitionPolicy(allowed_operations, search_of, size_limit_of, check_enabled=refuse)
    with pytest.raises(Forbidden, match="switched off for the camera front"):
        RequestCheck(policy, harness.gallery).check(request(Operation.FACE_REC, origin=FRONT_DOOR))
    RequestCheck(policy, harness.gallery).check(request(Operation.FACE_REC))


def test_unknown_faces_are_observed_and_no_others() -> None:
    harness = RecognitionHarness(seen(ALICES, NOBODYS))
    harness.recognise(origin=Origin(caller=camera_caller("porch")))
    ((face, picture, image, camera),) = harness.observations
    assert face.descriptor is NOBODYS
    assert (picture, image.width, camera) == (b"x", 640, "porch")


@pytest.mark.parametrize("changes", [{"name": "Carol"}, {"person": "carol"}])
def test_enrolment_reply_has_the_person_and_the_warnings(changes: dict[str, object]) -> None:
    harness = RecognitionHarness(seen(NOBODYS), seen(NOBODYS))
    reply = harness.ask(
        Operation.ENROLL, pictures=(b"1", b"2"), origin=Origin(caller=camera_caller("porch")), **changes
    )
    assert isinstance(reply, Enrolment)
    assert (reply.person, reply.pictures, reply.warnings) == (CAROL, 0, ("too few",))
    assert harness.enrolled == [(*changes.values(), [b"1", b"2"], camera_caller("porch"))]
    assert [job.task for job in harness.workers.jobs] == [
        AnalyseTask(descriptors="enrolment", chips=True, single_face=True)
    ]


def test_enrolments_of_a_camera_wait_among_other_changes_and_are_bounded() -> None:
    """Regression: while a long change was made, the pictures of a camera that enrols waited without a limit."""
    go = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        thread.submit(go.wait, 30)
        harness = RecognitionHarness(seen(ALICES), changes=thread)

        def enrol(camera: str) -> Future[Reply]:
            origin = Origin(caller=camera_caller(camera))
            return harness.service.submit(request(Operation.ENROLL, name="Carol", origin=origin))

        flood = [enrol("porch") for _ in range(MAX_WAITING + 1)]
        other = enrol("yard")
        go.set()
        assert other.exception(WAIT_S) is None
        assert [type(each.exception(WAIT_S)) for each in flood].count(Busy) == 2
    assert len(harness.enrolled) == MAX_WAITING


def test_picture_of_two_people_enrols_nobody() -> None:
    harness = RecognitionHarness(seen(ALICES, BOBS))
    with pytest.raises(MultipleFaces):
        harness.ask(Operation.ENROLL, name="Carol")
    assert harness.enrolled == []


def test_picture_with_the_name_of_a_person_who_was_removed_meanwhile_is_not_sent() -> None:
    """Regression: a picture that was drawn during an erasure was sent with the name after the reply to the erasure."""

    def draw(future: Future[Report]) -> None:
        harness.enrol_only()
        give_drawn(future)

    harness = RecognitionHarness(seen(ALICES), draw=draw)
    with pytest.raises(Busy, match="was removed in the meantime"):
        harness.recognise(annotate=True)
