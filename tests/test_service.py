from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field

import pytest

from gateway.errors import Busy, Expired, Forbidden, GatewayError, MultipleFaces, NoFace, TooLarge, UnknownPerson
from gateway.metrics import Metrics
from gateway.model import (
    Box,
    Comparison,
    Detection,
    FoundFace,
    Image,
    Look,
    Operation,
    Origin,
    Recognition,
    Reply,
    Request,
    Seen,
)
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery, Template
from gateway.service import Service
from gateway.workers.queue import Job, Report
from tests.examples import ALICE, BOB, descriptor, near, seen

ALICES, BOBS, NOBODYS = descriptor(1), descriptor(2), descriptor(3)
MAX_BYTES = 1000
DECISION = Decision(max_false_identification=0.01, max_false_match=0.001)


@dataclass
class Workers:
    """Answers every job at once: with ``seen``, or as ``answer`` tells it."""

    seen: tuple[Seen, ...] = ()
    answer: Callable[[Future[Report]], None] | None = None
    jobs: list[Job] = field(default_factory=list)

    def look(self, job: Job) -> Future[Report]:
        self.jobs.append(job)
        if self.answer:
            self.answer(job.future)
        else:
            job.future.set_result(Report(self.seen, queue_ms=7.0, dropped=2))
        return job.future


class Desk:
    """A service that knows Alice and Bob, over ready workers."""

    def __init__(self, *pictures: Seen, answer: Callable[[Future[Report]], None] | None = None) -> None:
        self.workers = Workers(pictures, answer)
        self.metrics = Metrics()
        self.gallery = Gallery([Template(ALICE, ALICES), Template(BOB, BOBS)])
        self.service = Service(
            self.workers.look,
            self.gallery,
            DECISION,
            lambda camera: (Operation.DETECT,) if camera == "blind" else tuple(Operation),
            self.metrics,
            max_bytes=MAX_BYTES,
        )

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
    content: dict[str, object] = {"pictures": (b"x",) * operation.pictures, "good_for": 60, "person": person}
    return Request(operation=operation, **{**content, **changes})  # type: ignore[arg-type]  # tests know what they pass


def verdicts(reply: Recognition) -> list[tuple[str, str | None]]:
    judged = [face.judgement for face in reply.faces]
    return [(each.verdict, each.person.slug if each.person else None) for each in judged if each]


def test_a_camera_is_refused_what_it_may_not_ask_for() -> None:
    desk = Desk(seen(ALICES))
    with pytest.raises(Forbidden, match="blind may not ask for face_rec"):
        desk.ask(Operation.FACE_REC, origin=Origin(camera="blind"))
    assert not desk.workers.jobs


def test_a_camera_gets_what_it_may_ask_for() -> None:
    assert isinstance(Desk(seen(ALICES)).ask(Operation.DETECT, origin=Origin(camera="blind")), Detection)


@pytest.mark.parametrize(
    ("operation", "pictures"),
    [(Operation.FACE_REC, (1001,)), (Operation.FACE_MATCH, (1, 1001)), (Operation.DETECT, (1001,))],
)
def test_a_picture_over_the_limit_is_refused_before_any_work(operation: Operation, pictures: tuple[int, ...]) -> None:
    desk = Desk()
    with pytest.raises(TooLarge, match="1000 bytes"):
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
        desk.gallery.load([])
        future.set_result(Report((seen(ALICES),), 0, 0))

    desk = Desk(answer=forget)
    with pytest.raises(UnknownPerson):
        desk.ask(Operation.VERIFY)


def test_each_face_is_recognised_on_its_own() -> None:
    reply = Desk(seen(near(BOBS, 0.99), NOBODYS, near(ALICES, 0.99))).recognise()
    assert verdicts(reply) == [("match", "bob"), ("unknown", None), ("match", "alice")]


def test_a_face_like_two_people_is_ambiguous() -> None:
    desk = Desk(seen(near(ALICES, 0.99)))
    desk.gallery.load([Template(ALICE, ALICES), Template(BOB, near(ALICES, 0.99))])
    assert verdicts(desk.recognise()) == [("ambiguous", None)]


def test_everybody_is_unknown_to_an_empty_gallery() -> None:
    desk = Desk(seen(ALICES))
    desk.gallery.load([])
    assert verdicts(desk.recognise()) == [("unknown", None)]


def test_a_recognition_tells_about_the_picture_and_the_way_it_went() -> None:
    reply = Desk(seen(ALICES)).recognise()
    assert (reply.image, reply.dropped) == (Image(640, 480, 5000), 2)
    assert reply.threshold == DECISION.identification(2)
    assert list(reply.timing) == ["queue", "decode", "detect", "embed", "match", "total"]
    assert reply.timing["queue"] == 7


@pytest.mark.parametrize(("cosine", "same"), [(0.99, True), (0.9, False), (0.0, False)])
def test_two_pictures_of_one_person_or_of_two(cosine: float, same: bool) -> None:
    reply = Desk(seen(NOBODYS), seen(near(NOBODYS, cosine))).compare(Operation.FACE_MATCH)
    assert (reply.match, reply.person, len(reply.faces)) == (same, None, 2)
    assert reply.threshold == DECISION.verification(1)
    assert reply.match == (reply.score >= reply.threshold)


@pytest.mark.parametrize(("cosine", "same"), [(0.99, True), (0.9, False)])
def test_somebody_is_who_they_claim_to_be_or_not(cosine: float, same: bool) -> None:
    desk = Desk(seen(near(ALICES, cosine)))
    desk.gallery.load([Template(ALICE, ALICES), Template(ALICE, NOBODYS), Template(BOB, BOBS)])
    reply = desk.compare(Operation.VERIFY)
    assert (reply.match, reply.person) == (same, ALICE)
    assert reply.threshold == DECISION.verification(2)


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
def test_a_comparison_needs_a_face(operation: Operation, pictures: list[Seen]) -> None:
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
def test_a_comparison_takes_no_second_face(operation: Operation, pictures: list[Seen]) -> None:
    with pytest.raises(MultipleFaces):
        Desk(*pictures).ask(operation)


def test_detection_describes_nobody() -> None:
    desk = Desk(seen(None, None))
    reply = desk.ask(Operation.DETECT)
    assert isinstance(reply, Detection)
    assert [face.judgement for face in reply.faces] == [None, None]
    assert desk.workers.jobs[0].look == Look(descriptors=False)


def test_landmarks_are_passed_on_if_asked_for() -> None:
    points = {"chin": [(1, 2)]}
    picture = Seen(Image(1, 1, 1), (FoundFace(Box(0, 0, 1, 1), ALICES, points),), {})
    desk = Desk(picture)
    assert desk.recognise(landmarks=True).faces[0].landmarks == points
    assert desk.workers.jobs[0].look == Look(landmarks=True)


def cancel(future: Future[Report]) -> None:
    future.cancel()


def lane(origin: Origin, live: bool = False) -> str:
    desk = Desk(seen())
    desk.recognise(origin=origin, live=live)
    return desk.workers.jobs[0].lane


def test_cameras_frames_and_rest_wait_in_lanes_of_their_own() -> None:
    lanes = [lane(Origin()), lane(Origin(camera="a")), lane(Origin(camera="a"), live=True), lane(Origin(camera="b"))]
    assert len(set(lanes)) == 4


def test_a_camera_of_that_name_does_not_share_the_lane_of_rest() -> None:
    assert lane(Origin(camera="rest")) != lane(Origin())


def test_a_job_keeps_the_deadline_of_its_request() -> None:
    desk = Desk(seen())
    desk.recognise(good_for=60, origin=Origin(received=1000.0), live=True)
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


def test_a_worker_that_forgot_the_descriptors_is_a_fault_of_ours() -> None:
    with pytest.raises(GatewayError, match="no descriptor") as caught:
        Desk(seen(None)).ask(Operation.FACE_REC)
    assert caught.value.code == "internal"


def test_requests_and_replies_are_counted() -> None:
    desk = Desk(seen(ALICES))
    desk.recognise()
    counts = desk.metrics.snapshot()
    assert (counts["requests"], counts["replies"], counts["errors"]) == (1, 1, 0)


def test_a_picture_of_somebody_known_is_described() -> None:
    desk = Desk(seen(ALICES))
    assert desk.service.describe(b"x") is ALICES
    assert desk.workers.jobs[0].pictures == (b"x",)


@pytest.mark.parametrize(("picture", "error"), [(seen(), NoFace), (seen(ALICES, BOBS), MultipleFaces)])
def test_a_picture_of_somebody_known_has_one_face(picture: Seen, error: type[Exception]) -> None:
    with pytest.raises(error):
        Desk(picture).service.describe(b"x")


def test_describing_ends_when_the_gateway_goes_down() -> None:
    with pytest.raises(CancelledError):
        Desk(answer=cancel).service.describe(b"x")
