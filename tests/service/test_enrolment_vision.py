from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

import pytest

from gateway.errors import MultipleFaces, NoFace, TooLarge
from gateway.model import CAMERA_NAME, AnalyseTask, Analysis, RedescribeTask, Search
from gateway.service.enrolment_vision import LANE, Describer
from gateway.workers.job import Job, Report
from tests.examples import descriptor, seen

ALICES, BOBS = descriptor(1), descriptor(2)
MAX_BYTES = 1000


def cancel(future: Future[Report]) -> None:
    future.cancel()


class Desk:
    """A describer over workers that answer at once."""

    def __init__(self, *pictures: Analysis, answer: Callable[[Future[Report]], None] | None = None) -> None:
        self.jobs: list[Job] = []
        self._answer = answer or (lambda future: future.set_result(Report(pictures, 1.0, 0)))
        self.describer = Describer(
            self.look,
            min_face=56,
            max_bytes=MAX_BYTES,
            rotation=lambda camera: 90 if camera == "sideways" else 0,
        )

    def look(self, job: Job) -> Future[Report]:
        self.jobs.append(job)
        self._answer(job.future)
        return job.future


def test_a_picture_of_somebody_known_is_described_with_more_care() -> None:
    picture = seen(ALICES)
    desk = Desk(picture)
    assert desk.describer.picture(b"x") is picture.faces[0]
    (job,) = desk.jobs
    assert (job.pictures, job.task, job.deadline) == (
        (b"x",),
        AnalyseTask(descriptors="enrolment", chips=True, single_face=True),
        math.inf,
    )


def test_a_picture_of_somebody_known_may_be_no_larger_than_any_other() -> None:
    desk = Desk(seen(ALICES))
    with pytest.raises(TooLarge):
        desk.describer.picture(bytes(MAX_BYTES + 1))
    assert not desk.jobs


def test_somebody_known_is_described_again_from_chips_whatever_pictures_are_limited_to() -> None:
    picture = seen(ALICES)
    desk = Desk(picture)
    chips = bytes(MAX_BYTES + 1)
    assert desk.describer.again(chips) is picture.faces[0]
    (job,) = desk.jobs
    assert (job.pictures, job.task, job.deadline) == ((chips,), RedescribeTask(), math.inf)


def test_known_faces_wait_in_a_lane_of_their_own_both_times() -> None:
    desk = Desk(seen(ALICES))
    desk.describer.picture(b"x")
    desk.describer.again(b"chips")
    assert {job.lane for job in desk.jobs} == {LANE}
    assert not CAMERA_NAME.fullmatch(LANE)


@pytest.mark.parametrize(("picture", "error"), [(seen(), NoFace), (seen(ALICES, BOBS), MultipleFaces)])
def test_a_picture_of_somebody_known_has_one_face(picture: Analysis, error: type[Exception]) -> None:
    with pytest.raises(error):
        Desk(picture).describer.picture(b"x")


def test_describing_ends_when_the_gateway_goes_down() -> None:
    with pytest.raises(CancelledError):
        Desk(answer=cancel).describer.picture(b"x")
    with pytest.raises(CancelledError):
        Desk(answer=cancel).describer.again(b"x")


def test_a_face_in_a_part_of_a_picture_is_looked_for_there_alone() -> None:
    picture, place = seen(ALICES), ((0.1, 0.1), (0.5, 0.1), (0.5, 0.6))
    desk = Desk(picture)
    assert desk.describer.part(b"x", place, "porch") is picture.faces[0]
    assert desk.jobs[0].task == AnalyseTask(Search(56, only=(place,)), "enrolment", chips=True, single_face=True)


def test_a_face_in_a_part_of_a_turned_camera_s_picture_is_looked_for_in_the_turned_picture() -> None:
    place = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.6))
    desk = Desk(seen(ALICES))
    desk.describer.part(b"x", place, "sideways")
    search = Search(56, only=(place,), rotate=90)
    assert desk.jobs[0].task == AnalyseTask(search, "enrolment", chips=True, single_face=True)
