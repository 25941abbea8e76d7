from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
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
    Operation,
    Origin,
    Person,
    Purpose,
    Recognition,
    Reply,
    Request,
    Search,
)
from gateway.model.caller import Caller, camera_caller
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.enrolment import EnrolmentSample
from gateway.people.gallery import Gallery
from gateway.service.recognition import Service
from gateway.store.records import Changes, GallerySnapshot, PersonEntry
from gateway.workers.job import Job, Report
from tests.examples import ALICE, BOB, BOX, CAROL, QUALITY, descriptor, near, seen

ALICES, BOBS, NOBODYS = descriptor(1), descriptor(2), descriptor(3)
MAX_BYTES = 1000
DECISION = Decision(0.01, 0.001, measured_curves("facegate"))
FAR = Search(20, 60, never=(((0, 0), (1, 0), (1, 0.5)),))
DRAWN = b"\xff\xd8 a picture with boxes"

Answer = Callable[[Future[Report]], None]
T = TypeVar("T")


def give_drawn(future: Future[Report]) -> None:
    future.set_result(Report((Analysis(Image(640, 480, 5000), (), {"annotate": 9.0}, DRAWN),), 1.0, 0))


@dataclass
class Workers:
    """Answers every job at once: with ``seen``, or as ``answer`` tells it; to drawings as ``draw`` tells it."""

    seen: tuple[Analysis, ...] = ()
    answer: Answer | None = None
    draw: Answer = give_drawn
    jobs: list[Job] = field(default_factory=list)

    def look(self, job: Job) -> Future[Report]:
        self.jobs.append(job)
        if isinstance(job.task, DrawTask):
            self.draw(job.future)
        elif self.answer:
            self.answer(job.future)
        else:
            job.future.set_result(Report(self.seen, queue_ms=7.0, dropped=2))
        return job.future


class AtOnce(Executor):
    def submit(self, fn: Callable[..., T], /, *args: object, **kwargs: object) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Desk:
    """A service that knows Alice and Bob, over ready workers."""

    def __init__(
        self, *pictures: Analysis, answer: Answer | None = None, draw: Answer = give_drawn, landmarks_68: bool = True
    ) -> None:
        self.workers = Workers(pictures, answer, draw)
        self.metrics = Metrics()
        self.gallery = Gallery()
        self.knows((ALICE, ALICES), (BOB, BOBS))
        self.enrolled: list[tuple[str, list[bytes], Caller]] = []
        self.strangers: list[tuple[FoundFace, bytes, Image, str]] = []
        self.service = Service(
            self.workers.look,
            self.gallery,
            DECISION,
            self,
            AtOnce(),
            lambda camera: (Operation.DETECT,) if camera == "blind" else tuple(Operation),
            lambda camera: FAR if camera == "far" else Search(rotate=270) if camera == "sideways" else Search(),
            self.metrics,
            on_stranger=lambda *stranger: self.strangers.append(stranger),
            max_bytes=MAX_BYTES,
            landmarks_68=landmarks_68,
        )

    def knows(self, *people: tuple[Person, Descriptor], pictures: int = 1) -> None:
        """Nobody but these from now on, each by so many pictures."""
        keys = np.arange(len(people)) + 1
        faces = np.array([face for _, face in people], np.float32).reshape(-1, 128)
        counts = np.full(len(people), pictures)
        nobody = np.empty((0, 128), np.float32), np.empty(0, np.int64)
        snapshot = GallerySnapshot(keys, [person for person, _ in people], faces, counts, *nobody)
        self.gallery.apply(Changes(1, snapshot, [1, 2, 3]))

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


def test_a_camera_is_refused_what_it_may_not_ask_for() -> None:
    desk = Desk(seen(ALICES))
    with pytest.raises(Forbidden, match="blind may not ask for face_rec"):
        desk.ask(Operation.FACE_REC, origin=Origin(caller=camera_caller("blind")))
    assert not desk.workers.jobs


def test_a_camera_gets_what_it_may_ask_for() -> None:
    assert isinstance(Desk(seen(ALICES)).ask(Operation.DETECT, origin=Origin(caller=camera_caller("blind"))), Detection)


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [(Operation.FACE_REC, (1001,)), (Operation.FACE_MATCH, (1, 1001)), (Operation.DETECT, (1001,))],
)
def test_a_picture_over_the_limit_is_refused_before_any_work(operation: Operation, pictures: tuple[int, ...]) -> None:
    desk = Desk()
    with pytest.raises(TooLarge, match=r"more than 1000 \(limits\.bytes\)"):
        desk.ask(operation, pictures=tuple(map(bytes, pictures)))
    assert not desk.workers.jobs


def test_a_picture_at_the_limit_is_looked_at() -> None:
    assert Desk(seen()).recognise(pictures=(bytes(MAX_BYTES),)).faces == ()


def test_an_unknown_person_is_refused_before_any_work() -> None:
    desk = Desk(seen(ALICES))
    with pytest.raises(UnknownPerson, match="carol"):
        desk.ask(Operation.VERIFY, person="carol")
    assert not desk.workers.jobs


def test_a_person_forgotten_meanwhile_does_not_match() -> None:
    def forget(future: Future[Report]) -> None:
        desk.knows()
        future.set_result(Report((seen(ALICES),), 0, 0))

    desk = Desk(answer=forget)
    with pytest.raises(UnknownPerson):
        desk.ask(Operation.VERIFY)


def test_each_face_is_recognised_on_its_own() -> None:
    reply = Desk(seen(near(BOBS, 0.99), NOBODYS, near(ALICES, 0.99))).recognise()
    assert verdicts(reply) == [("match", "bob"), ("unknown", None), ("match", "alice")]


def test_a_face_like_two_people_is_ambiguous() -> None:
    desk = Desk(seen(near(ALICES, 0.99)))
    desk.knows((ALICE, ALICES), (BOB, near(ALICES, 0.99)))
    assert verdicts(desk.recognise()) == [("ambiguous", None)]


@pytest.mark.parametrize("operation", [Operation.FACE_REC, Operation.DETECT])
def test_faces_that_were_left_out_are_reported(operation: Operation) -> None:
    reply = Desk(replace(seen(ALICES), left_out=452)).ask(operation)
    assert isinstance(reply, Recognition | Detection)
    assert (len(reply.faces), reply.left_out) == (1, 452)


def test_faces_that_were_left_out_count_where_one_face_is_needed() -> None:
    with pytest.raises(MultipleFaces, match="there are 454 faces"):
        Desk(replace(seen(ALICES, BOBS), left_out=452)).ask(Operation.VERIFY)


def lying(**seen_badly: Any) -> Analysis:
    """A face that could not be turned upright, and so was not described."""
    return Analysis(Image(640, 480, 5000), (FoundFace(BOX, quality=replace(QUALITY, pose=0.0, **seen_badly)),), {})


SEEN_BADLY = [
    ({"brightness": 0.03}, "too_dark"),
    ({"pixels": 5}, "too_small"),
    ({"sharpness": 0.0}, "blurred"),
    ({"inside": 0.1}, "cut_off"),
]


@pytest.mark.parametrize(("quality", "verdict"), SEEN_BADLY)
def test_face_that_is_seen_too_badly_to_be_turned_upright_gets_that_verdict(
    quality: dict[str, float], verdict: str
) -> None:
    """Regression: a very dark face was called turned, with the advice to look at the camera."""
    assert verdicts(Desk(lying(**quality)).recognise()) == [(verdict, None)]
    with pytest.raises(BadImage, match=f"cannot be compared, since it is {verdict.replace('_', ' ')}: "):
        Desk(lying(**quality)).ask(Operation.VERIFY)


def test_comparison_names_the_picture_without_a_face() -> None:
    with pytest.raises(NoFace, match="no face in picture 2"):
        Desk(seen(ALICES), seen()).ask(Operation.FACE_MATCH)
    with pytest.raises(MultipleFaces, match="2 faces in picture 1"):
        Desk(seen(ALICES, BOBS), seen(ALICES)).ask(Operation.FACE_MATCH)


def test_a_face_that_cannot_be_turned_upright_is_turned_and_no_stranger_to_remember() -> None:
    desk = Desk(lying())
    assert verdicts(desk.recognise()) == [("turned", None)]
    assert not desk.strangers


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [
        (Operation.VERIFY, [lying()]),
        (Operation.FACE_MATCH, [lying(), seen(ALICES)]),
        (Operation.FACE_MATCH, [lying(), lying()]),
    ],
)
def test_a_face_that_cannot_be_turned_upright_is_not_compared(operation: Operation, pictures: list[Analysis]) -> None:
    with pytest.raises(BadImage, match="it is turned: look at the camera"):
        Desk(*pictures).ask(operation)


def test_everybody_is_unknown_to_an_empty_gallery() -> None:
    desk = Desk(seen(ALICES))
    desk.knows()
    assert verdicts(desk.recognise()) == [("unknown", None)]


def test_a_recognition_tells_about_the_picture_and_the_way_it_went() -> None:
    reply = Desk(seen(ALICES)).recognise()
    assert (reply.image, reply.dropped) == (Image(640, 480, 5000), 2)
    assert reply.threshold == DECISION.identification_threshold(2)
    assert list(reply.timing) == ["queue", "decode", "detect", "embed", "match", "total"]
    assert reply.timing["queue"] == 7


@pytest.mark.parametrize(("cosine", "same"), [(0.99, True), (0.9, False), (0.0, False)])
def test_two_pictures_of_one_person_or_of_two(cosine: float, same: bool) -> None:
    reply = Desk(seen(NOBODYS), seen(near(NOBODYS, cosine))).compare(Operation.FACE_MATCH)
    assert (reply.match, reply.person, len(reply.faces)) == (same, None, 2)
    assert reply.threshold == DECISION.verification_threshold()
    assert reply.match == (reply.score >= reply.threshold)


@pytest.mark.parametrize(("cosine", "same"), [(0.99, True), (0.9, False)])
def test_somebody_is_who_they_claim_to_be_or_not(cosine: float, same: bool) -> None:
    desk = Desk(seen(near(ALICES, cosine)))
    desk.knows((ALICE, ALICES), (BOB, BOBS))
    reply = desk.compare(Operation.VERIFY)
    assert (reply.match, reply.person) == (same, ALICE)
    assert reply.threshold == DECISION.verification_threshold()


def test_being_somebody_else_who_is_known_verifies_nothing() -> None:
    assert not Desk(seen(BOBS)).compare(Operation.VERIFY).match


def test_the_time_for_both_pictures_is_added_up() -> None:
    timing = Desk(seen(ALICES), seen(BOBS)).compare(Operation.FACE_MATCH).timing
    assert (timing["detect"], timing["queue"]) == (60, 7)


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [
        (Operation.VERIFY, [seen()]),
        (Operation.FACE_MATCH, [seen(), seen(ALICES)]),
        (Operation.FACE_MATCH, [seen(ALICES), seen()]),
    ],
)
def test_a_comparison_needs_a_face(operation: Operation, pictures: list[Analysis]) -> None:
    with pytest.raises(NoFace):
        Desk(*pictures).ask(operation)


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [
        (Operation.VERIFY, [seen(ALICES, BOBS)]),
        (Operation.FACE_MATCH, [seen(ALICES, BOBS), seen(ALICES)]),
        (Operation.FACE_MATCH, [seen(ALICES), seen(ALICES, BOBS)]),
    ],
)
def test_a_comparison_takes_no_second_face(operation: Operation, pictures: list[Analysis]) -> None:
    with pytest.raises(MultipleFaces):
        Desk(*pictures).ask(operation)


def test_detection_describes_nobody() -> None:
    desk = Desk(seen(None, None))
    reply = desk.ask(Operation.DETECT)
    assert isinstance(reply, Detection)
    assert [face.judgement for face in reply.faces] == [None, None]
    assert desk.workers.jobs[0].task == AnalyseTask(descriptors=None)


@pytest.mark.parametrize(
    ("operation", "purpose"),
    [
        (Operation.FACE_REC, "stream"),
        (Operation.VERIFY, "stream"),
        (Operation.FACE_MATCH, "enrolment"),
        (Operation.DETECT, None),
    ],
)
def test_descriptors_are_made_as_carefully_as_the_operation_deserves(
    operation: Operation, purpose: Purpose | None
) -> None:
    desk = Desk(*[seen(ALICES)] * (2 if operation is Operation.FACE_MATCH else 1))
    desk.ask(operation)
    sole = operation in (Operation.VERIFY, Operation.FACE_MATCH)
    assert [job.task for job in desk.workers.jobs] == [AnalyseTask(descriptors=purpose, single_face=sole)]


def test_faces_are_looked_for_as_the_camera_s_settings_say() -> None:
    desk = Desk(seen(ALICES))
    for origin in (Origin(caller=camera_caller("far")), Origin(caller=camera_caller("porch")), Origin()):
        desk.recognise(origin=origin)
    assert [job.task for job in desk.workers.jobs] == [AnalyseTask(FAR), AnalyseTask(), AnalyseTask()]


@pytest.mark.parametrize("operation", DEFAULT_OPERATIONS)
def test_a_face_in_a_reply_has_the_quality_that_was_seen(operation: Operation) -> None:
    reply = Desk(*[seen(ALICES)] * (2 if operation is Operation.FACE_MATCH else 1)).ask(operation)
    assert not isinstance(reply, Enrolment)
    assert {face.quality for face in reply.faces} == {QUALITY}


@pytest.mark.parametrize("count", [5, 68])
def test_landmarks_are_passed_on_if_asked_for(count: LandmarkCount) -> None:
    points = {"chin": [(1, 2)]}
    picture = Analysis(Image(1, 1, 1), (FoundFace(Box(0, 0, 1, 1), ALICES, points),), {})
    desk = Desk(picture)
    assert desk.recognise(landmarks=count).faces[0].landmarks == points
    assert desk.workers.jobs[0].task == AnalyseTask(landmarks=count)


@pytest.mark.parametrize("operation", DEFAULT_OPERATIONS)
def test_where_68_landmarks_are_switched_off_they_are_refused_before_any_work(operation: Operation) -> None:
    desk = Desk(landmarks_68=False)
    with pytest.raises(Unsupported, match="68 points are switched off"):
        desk.ask(operation, landmarks=68)
    assert not desk.workers.jobs


@pytest.mark.parametrize("count", [0, 5])
def test_where_68_landmarks_are_switched_off_five_are_still_there(count: LandmarkCount) -> None:
    desk = Desk(seen(ALICES), landmarks_68=False)
    desk.recognise(landmarks=count)
    assert desk.workers.jobs[0].task == AnalyseTask(landmarks=count)


def cancel(future: Future[Report]) -> None:
    future.cancel()


def fail(error: Exception) -> Answer:
    return lambda future: future.set_exception(error)


def test_who_was_recognised_is_drawn_into_the_picture_with_name_or_verdict() -> None:
    desk = Desk(seen(near(BOBS, 0.99), NOBODYS))
    reply = desk.recognise(annotate=True, pictures=(b"picture",), origin=Origin(received=1000.0))
    assert reply.annotated == DRAWN
    assert verdicts(reply) == [("match", "bob"), ("unknown", None)]
    _, drawing = desk.workers.jobs
    assert drawing.task == DrawTask((FaceMark(BOX, "Bob", known=True), FaceMark(BOX, "unknown", known=False)))
    assert (drawing.pictures, drawing.deadline, drawing.live) == ((b"picture",), 1060, False)


def test_faces_are_drawn_into_the_picture_as_the_camera_s_settings_turn_it() -> None:
    desk = Desk(seen(ALICES))
    desk.recognise(annotate=True, origin=Origin(caller=camera_caller("sideways")))
    looked, drawn = (job.task for job in desk.workers.jobs)
    assert isinstance(looked, AnalyseTask)
    assert isinstance(drawn, DrawTask)
    assert (looked.search.rotate, drawn.rotate) == (270, 270)


def test_a_face_like_two_people_is_drawn_as_ambiguous_and_not_as_known() -> None:
    desk = Desk(seen(near(ALICES, 0.99)))
    desk.knows((ALICE, ALICES), (BOB, near(ALICES, 0.99)))
    desk.recognise(annotate=True)
    assert desk.workers.jobs[1].task == DrawTask((FaceMark(BOX, "ambiguous", known=False),))


def test_faces_that_nobody_asked_about_are_drawn_without_a_label() -> None:
    desk = Desk(seen(None, None))
    reply = desk.ask(Operation.DETECT, annotate=True)
    assert isinstance(reply, Detection)
    assert (reply.annotated, len(reply.faces)) == (DRAWN, 2)
    assert desk.workers.jobs[1].task == DrawTask((FaceMark(BOX, "", known=False),) * 2)


def test_landmarks_are_drawn_if_they_were_asked_for() -> None:
    points = {"nose_tip": [(1, 2)]}
    desk = Desk(Analysis(Image(9, 9, 1), (FoundFace(BOX, None, points),), {}))
    desk.ask(Operation.DETECT, annotate=True, landmarks=5)
    assert desk.workers.jobs[1].task == DrawTask((FaceMark(BOX, "", known=False, landmarks=points),))


def test_a_picture_of_nobody_comes_back_too() -> None:
    desk = Desk(seen())
    assert desk.recognise(annotate=True).annotated == DRAWN
    assert desk.workers.jobs[1].task == DrawTask(())


def test_nothing_is_drawn_unless_asked_for() -> None:
    desk = Desk(seen(ALICES))
    assert desk.recognise().annotated is None
    assert len(desk.workers.jobs) == 1


@pytest.mark.parametrize(
    "error", [Unsupported("too long for a JPEG"), Timeout("slow"), RuntimeError("a fault of ours")]
)
def test_a_drawing_that_fails_fails_the_request(error: Exception) -> None:
    desk = Desk(seen(ALICES), draw=fail(error))
    assert desk.service.submit(request(Operation.FACE_REC, annotate=True)).exception(timeout=0) is error
    counts = desk.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 0, 1)


def test_a_drawing_that_finds_the_queue_full_is_answered_busy() -> None:
    def refuse(_future: Future[Report]) -> None:
        raise busy

    busy = Busy("full", 3)
    desk = Desk(seen(ALICES), draw=refuse)
    assert desk.service.submit(request(Operation.DETECT, annotate=True)).exception(timeout=0) is busy


@pytest.mark.parametrize("error", [Expired("too late"), RuntimeError("a fault of ours")])
def test_what_could_not_be_looked_at_is_not_drawn(error: Exception) -> None:
    desk = Desk(answer=fail(error))
    assert desk.service.submit(request(Operation.FACE_REC, annotate=True)).exception(timeout=0) is error
    assert len(desk.workers.jobs) == 1


def test_a_cancelled_drawing_cancels_the_reply() -> None:
    desk = Desk(seen(ALICES), draw=cancel)
    assert desk.service.submit(request(Operation.FACE_REC, annotate=True)).cancelled()
    counts = desk.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 0, 0)


def test_a_frame_that_a_newer_one_replaced_is_not_drawn() -> None:
    desk = Desk(answer=cancel)
    assert desk.service.submit(request(Operation.FACE_REC, annotate=True, live=True)).cancelled()
    assert len(desk.workers.jobs) == 1


def test_an_annotated_reply_is_counted_once() -> None:
    desk = Desk(seen(ALICES))
    desk.recognise(annotate=True)
    counts = desk.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 1, 0)


def test_a_reply_is_there_only_when_its_picture_is_drawn() -> None:
    waiting: list[Future[Report]] = []
    desk = Desk(seen(ALICES), draw=waiting.append)
    reply = desk.service.submit(request(Operation.FACE_REC, annotate=True))
    assert not reply.done()
    give_drawn(waiting[0])
    found = reply.result(timeout=0)
    assert isinstance(found, Recognition)
    assert found.annotated == DRAWN


def lane(origin: Origin, live: bool = False) -> str:
    desk = Desk(seen())
    desk.recognise(origin=origin, live=live)
    return desk.workers.jobs[0].lane


def test_each_camera_and_rest_have_a_lane_of_their_own() -> None:
    assert len({lane(Origin()), lane(Origin(caller=camera_caller("a"))), lane(Origin(caller=camera_caller("b")))}) == 3


def test_frames_and_requests_of_a_camera_share_its_lane() -> None:
    """The camera is charged for both."""
    assert lane(Origin(caller=camera_caller("a")), live=True) == lane(Origin(caller=camera_caller("a")))


def test_a_camera_of_that_name_does_not_share_the_lane_of_rest() -> None:
    assert lane(Origin(caller=camera_caller("rest"))) != lane(Origin())


def test_a_job_keeps_the_deadline_of_its_request() -> None:
    desk = Desk(seen())
    desk.recognise(valid_for_s=60, origin=Origin(received=1000.0), live=True)
    assert (desk.workers.jobs[0].deadline, desk.workers.jobs[0].live) == (1060, True)


def test_a_frame_that_a_newer_one_replaced_is_cancelled_and_neither_replied_nor_failed() -> None:
    desk = Desk(answer=cancel)
    assert desk.service.submit(request(Operation.FACE_REC, live=True)).cancelled()
    counts = desk.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 0, 0)


@pytest.mark.parametrize("error", [Expired("too late"), RuntimeError("a fault of ours")])
def test_what_goes_wrong_in_a_worker_ends_in_the_future(error: Exception) -> None:
    desk = Desk(answer=lambda future: future.set_exception(error))
    assert desk.service.submit(request(Operation.FACE_REC)).exception(timeout=0) is error
    assert desk.metrics.snapshot()["errors"] == 1


@pytest.mark.parametrize("error", [Busy("full", 3), RuntimeError("a fault of ours")])
def test_what_goes_wrong_before_a_worker_ends_in_the_future(error: Exception) -> None:
    def refuse(_future: Future[Report]) -> None:
        raise error

    desk = Desk(answer=refuse)
    assert desk.service.submit(request(Operation.FACE_REC)).exception(timeout=0) is error


def test_requests_and_replies_are_counted() -> None:
    desk = Desk(seen(ALICES))
    desk.recognise()
    counts = desk.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 1, 0)


def test_a_face_that_is_seen_too_badly_is_not_named_and_the_verdict_says_why() -> None:
    dark = FoundFace(BOX, ALICES, quality=replace(QUALITY, brightness=0.01))
    desk = Desk(replace(seen(ALICES), faces=(dark,)))
    assert verdicts(desk.recognise()) == [("too_dark", None)]
    assert desk.strangers == []


def test_of_each_face_that_nobody_knows_is_told_and_of_no_other() -> None:
    desk = Desk(seen(ALICES, NOBODYS))
    desk.recognise(origin=Origin(caller=camera_caller("porch")))
    ((face, picture, image, camera),) = desk.strangers
    assert face.descriptor is NOBODYS
    assert (picture, image.width, camera) == (b"x", 640, "porch")


@pytest.mark.parametrize("changes", [{"name": "Carol"}, {"person": "carol"}])
def test_who_is_enrolled_is_told_with_warnings(changes: dict[str, object]) -> None:
    desk = Desk(seen(NOBODYS), seen(NOBODYS))
    reply = desk.ask(Operation.ENROLL, pictures=(b"1", b"2"), origin=Origin(caller=camera_caller("porch")), **changes)
    assert isinstance(reply, Enrolment)
    assert (reply.person, reply.pictures, reply.warnings) == (CAROL, 0, ("too few",))
    assert desk.enrolled == [(*changes.values(), [b"1", b"2"], camera_caller("porch"))]
    assert [job.task for job in desk.workers.jobs] == [
        AnalyseTask(descriptors="enrolment", chips=True, single_face=True)
    ]


def test_a_picture_of_two_enrols_nobody() -> None:
    desk = Desk(seen(ALICES, BOBS))
    with pytest.raises(MultipleFaces):
        desk.ask(Operation.ENROLL, name="Carol")
    assert desk.enrolled == []
