from __future__ import annotations

import pytest

from gateway.live.looks import EARLY_SHARE, FRESH_LOOKS, FRESH_S, LEARN_INTERVAL_S, MANY_WAITING_JOBS, Looks
from gateway.model import Analysis, Box, FoundFace, Image, LiveTask, Looked, Search
from gateway.model.tasks import MAX_KNOWN_FACES
from tests.workers.fake_clock import FakeClock

FACE, ELSEWHERE = Box(100, 100, 160, 160), Box(400, 100, 460, 160)
SEARCH = Search(40)


class Scene:
    """A camera whose frames are answered by hand, and the clock of its looks."""

    def __init__(self, *, waiting: int = 0, phase: float = 0.0, cameras: int = 10) -> None:
        self.clock = FakeClock(1000.0)
        self.waiting = waiting
        self.looks = Looks(60, lambda: self.waiting, cameras, clock=self.clock, first_phase=lambda: phase)

    def task(self, camera: str = "porch") -> LiveTask:
        return self.looks.task(camera, SEARCH)

    def answer(
        self,
        looked: Looked,
        faces: tuple[Box, ...] = (),
        *,
        camera: str = "porch",
        still: tuple[Box, ...] = (),
        changed: tuple[Box, ...] = (),
        thumbnail: bytes | None = None,
    ) -> None:
        """Take the next task of the camera, and record this answer to it."""
        found = tuple(FoundFace(box) for box in faces)
        analysis = Analysis(
            Image(640, 480, 1), found, {}, looked=looked, thumbnail=thumbnail, still=still, changed=changed
        )
        self.looks.record(camera, self.task(camera), analysis)


def test_first_frame_of_a_camera_is_looked_at_in_full() -> None:
    assert Scene().task() == LiveTask(SEARCH, full=True, learn=True)


def test_next_task_has_thumbnail_and_faces_of_the_last_frame() -> None:
    scene = Scene()
    scene.answer("full", (FACE,), thumbnail=b"first")
    task = scene.task()
    assert (task.thumbnail, task.faces, task.full) == (b"first", (FACE,), False)
    scene.answer("nothing", still=(FACE,))
    assert scene.task().thumbnail == b"first"
    assert scene.task().faces == (FACE,)
    scene.answer("parts", thumbnail=b"second")
    assert scene.task().thumbnail == b"second"
    assert scene.task().faces == ()


def test_new_face_is_looked_at_until_time_and_looks_have_passed() -> None:
    scene = Scene()
    scene.answer("full", (FACE,), thumbnail=b"1")
    for _ in range(FRESH_LOOKS):
        assert scene.task().look_at == (FACE,)
        scene.answer("parts", (FACE,))
    assert scene.task().look_at == (FACE,)
    scene.clock.now += FRESH_S
    assert scene.task().look_at == ()


def test_new_face_of_a_slow_camera_gets_its_looks() -> None:
    scene = Scene()
    scene.answer("full", (FACE,), thumbnail=b"1")
    for _ in range(FRESH_LOOKS):
        scene.clock.now += 10
        assert scene.task().look_at == (FACE,)
        scene.answer("parts", (FACE,))
    assert scene.task().look_at == ()


def test_face_that_a_full_look_finds_again_is_not_new() -> None:
    scene = Scene()
    scene.answer("full", (FACE,), thumbnail=b"1")
    scene.clock.now += 60
    for _ in range(FRESH_LOOKS):
        scene.answer("full", (FACE.shifted_by(5, -5),), thumbnail=b"1")
    assert scene.task().look_at == ()
    scene.answer("full", (FACE, ELSEWHERE), thumbnail=b"1")
    assert scene.task().look_at == (FACE, ELSEWHERE)


def test_part_that_comes_to_rest_is_looked_at_once_more() -> None:
    scene = Scene()
    scene.answer("full", thumbnail=b"1")
    scene.answer("parts", changed=(ELSEWHERE,), thumbnail=b"2")
    assert scene.task().look_at == (ELSEWHERE,)
    scene.answer("parts")
    assert scene.task().look_at == ()


def test_wanted_faces_are_looked_at() -> None:
    scene = Scene()
    scene.answer("full", thumbnail=b"1")
    assert scene.looks.task("porch", SEARCH, 5, wanted=(ELSEWHERE,)).look_at == (ELSEWHERE,)


def test_first_full_look_waits_while_many_jobs_wait() -> None:
    scene = Scene(waiting=MANY_WAITING_JOBS, phase=0.5)
    assert not scene.task().full
    scene.answer("nothing", thumbnail=b"1")
    assert not scene.task().full
    scene.waiting = 1
    assert not scene.task().full
    scene.waiting = 0
    assert scene.task().full
    # It is not put off for longer than another full look.
    scene.waiting = MANY_WAITING_JOBS
    scene.clock.now += 60
    assert scene.task().full
    assert Scene(waiting=MANY_WAITING_JOBS - 1).task().full


@pytest.mark.parametrize(("waiting", "share"), [(0, EARLY_SHARE), (1, 1.0)])
def test_full_look_is_due_earlier_while_no_job_waits(waiting: int, share: float) -> None:
    scene = Scene(waiting=waiting)
    scene.answer("full", thumbnail=b"1")
    scene.clock.now += 60 * share - 0.1
    assert not scene.task().full
    scene.clock.now += 0.2
    assert scene.task().full
    scene.answer("full", thumbnail=b"1")
    assert not scene.task().full


def test_first_full_looks_of_cameras_are_spread() -> None:
    scene = Scene(phase=1.0)
    scene.answer("full", thumbnail=b"1")
    assert scene.task().full
    scene = Scene(phase=0.5)
    scene.answer("full", thumbnail=b"1")
    scene.clock.now += 60 * EARLY_SHARE / 2 - 0.1
    assert not scene.task().full
    scene.clock.now += 0.2
    assert scene.task().full


def test_look_at_the_whole_picture_after_a_change_counts_as_a_full_look() -> None:
    scene = Scene()
    scene.answer("full", thumbnail=b"1")
    scene.clock.now += 30
    scene.answer("full", thumbnail=b"2")
    scene.clock.now += 60 * EARLY_SHARE - 1
    assert not scene.task().full


def test_thumbnail_learns_at_most_once_in_an_interval() -> None:
    scene = Scene()
    scene.answer("full", thumbnail=b"1")
    assert not scene.task().learn
    scene.clock.now += LEARN_INTERVAL_S
    assert scene.task().learn
    scene.answer("parts", changed=(FACE,))
    assert not scene.task().learn


def test_looks_forget_the_camera_with_the_oldest_frame() -> None:
    scene = Scene(cameras=2)
    for camera in ("porch", "yard", "porch", "gate"):
        scene.answer("full", camera=camera, thumbnail=camera.encode())
    assert [scene.task(camera).thumbnail for camera in ("porch", "yard", "gate")] == [b"porch", None, b"gate"]
    scene.looks.forget("porch")
    assert scene.task("porch").full
    assert not scene.task("gate").full
    scene.looks.forget(None)
    assert scene.task("gate").full


def test_number_of_remembered_faces_is_bounded() -> None:
    """A worker process that a picture has taken over could otherwise add more with each frame."""
    scene = Scene()
    for _ in range(3):
        scene.answer("parts", (FACE,) * 32, still=(ELSEWHERE,) * MAX_KNOWN_FACES)
    assert len(scene.task().faces) == MAX_KNOWN_FACES


def test_still_face_that_nobody_follows_is_looked_at_again() -> None:
    scene = Scene()
    scene.answer("full", (FACE,), thumbnail=b"1")
    scene.clock.now += FRESH_S + 1
    for _ in range(FRESH_LOOKS):
        scene.answer("nothing", still=(FACE,))
    assert scene.task().look_at == ()
    scene.looks.look_again("porch")
    assert scene.task().look_at == (FACE,)
    scene.answer("parts", (FACE,))
    assert scene.task().look_at == ()
