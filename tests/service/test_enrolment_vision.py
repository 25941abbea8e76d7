from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import CancelledError, Future

import pytest

from gateway.errors import MultipleFaces, NoFace, TooLarge
from gateway.model import CAMERA_NAME, AnalyseTask, Analysis, Mounting, RedescribeTask, Search, SizeLimit
from gateway.service.enrolment_vision import ENROLMENT_LANE, WorkerVision
from gateway.workers.job import Job, Report
from tests.examples import descriptor, seen

ALICES, BOBS = descriptor(1), descriptor(2)
MAX_BYTES = 1000


def cancel(future: Future[Report]) -> None:
    future.cancel()


NEVER = ((0.5, 0.0), (1.0, 0.0), (1.0, 1.0))


class VisionHarness:
    """The vision for enrolments over workers that finish every job immediately."""

    def __init__(self, *pictures: Analysis, answer: Callable[[Future[Report]], None] | None = None) -> None:
        self.jobs: list[Job] = []
        self._answer = answer or (lambda future: future.set_result(Report(pictures, 1.0, 0)))
        self.vision = WorkerVision(
            self.run,
            min_face=56,
            size_limit=SizeLimit(MAX_BYTES),
            search=lambda camera: (
                Search(80, 90, mounting=Mounting(90), never=(NEVER,)) if camera == "sideways" else Search(80)
            ),
        )

    def run(self, job: Job) -> Future[Report]:
        self.jobs.append(job)
        self._answer(job.future)
        return job.future


def test_picture_is_described_for_enrolment_without_a_deadline() -> None:
    picture = seen(ALICES)
    harness = VisionHarness(picture)
    assert harness.vision.describe_picture(b"x") is picture.faces[0]
    (job,) = harness.jobs
    assert (job.pictures, job.task, job.deadline) == (
        (b"x",),
        AnalyseTask(descriptors="enrolment", chips=True, single_face=True),
        math.inf,
    )


def test_picture_over_the_limit_is_refused() -> None:
    harness = VisionHarness(seen(ALICES))
    with pytest.raises(TooLarge):
        harness.vision.describe_picture(bytes(MAX_BYTES + 1))
    assert not harness.jobs


def test_chips_over_the_limit_of_pictures_are_described() -> None:
    picture = seen(ALICES)
    harness = VisionHarness(picture)
    chips = bytes(MAX_BYTES + 1)
    assert harness.vision.describe_chips(chips) is picture.faces[0]
    (job,) = harness.jobs
    assert (job.pictures, job.task, job.deadline) == ((chips,), RedescribeTask(), math.inf)


def test_pictures_and_chips_wait_in_the_lane_of_enrolments() -> None:
    harness = VisionHarness(seen(ALICES))
    harness.vision.describe_picture(b"x")
    harness.vision.describe_chips(b"chips")
    assert {job.lane for job in harness.jobs} == {ENROLMENT_LANE}
    assert not CAMERA_NAME.fullmatch(ENROLMENT_LANE)


@pytest.mark.parametrize(("picture", "error"), [(seen(), NoFace), (seen(ALICES, BOBS), MultipleFaces)])
def test_picture_without_a_single_face_is_refused(picture: Analysis, error: type[Exception]) -> None:
    with pytest.raises(error):
        VisionHarness(picture).vision.describe_picture(b"x")


def test_describing_ends_when_the_gateway_stops() -> None:
    with pytest.raises(CancelledError):
        VisionHarness(answer=cancel).vision.describe_picture(b"x")
    with pytest.raises(CancelledError):
        VisionHarness(answer=cancel).vision.describe_chips(b"x")


def test_part_of_a_picture_is_searched_alone() -> None:
    picture, place = seen(ALICES), ((0.1, 0.1), (0.5, 0.1), (0.5, 0.6))
    harness = VisionHarness(picture)
    assert harness.vision.describe_part(b"x", place, "porch") is picture.faces[0]
    assert harness.jobs[0].task == AnalyseTask(Search(56, only=(place,)), "enrolment", chips=True, single_face=True)


def test_part_is_searched_in_the_upright_picture_of_a_camera() -> None:
    place = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.6))
    harness = VisionHarness(seen(ALICES))
    harness.vision.describe_part(b"x", place, "sideways")
    search = Search(56, only=(place,), never=(NEVER,), mounting=Mounting(90))
    assert harness.jobs[0].task == AnalyseTask(search, "enrolment", chips=True, single_face=True)
