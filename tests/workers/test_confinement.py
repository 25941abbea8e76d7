"""The confinement of a worker process that a picture has taken over, and the work of one that no picture has.

Libraries load code and data when these are first needed. A confined process could not, so everything is loaded before.
The tests compare its work with that of a process that is not confined.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import PIL.Image
import pytest

from gateway.confinement.landlock import landlock_version
from gateway.confinement.report import Confinement
from gateway.confinement.system_calls import this_processor
from gateway.errors import GatewayError
from gateway.model import AnalyseTask, DetectionMethod, DrawTask, LiveTask, PictureLimits, RedescribeTask, Task
from gateway.vision.engines.options import EngineOptions
from gateway.workers.options import WorkerOptions
from gateway.workers.process_state import thread_count
from gateway.workers.thread_watch import MAX_THREADS, ThreadWatch
from gateway.workers.worker import Worker
from tests.support import frame, models
from tests.workers.hostile_acts import ACTS, Target
from tests.workers.kinds_of_work import PICTURES, TASKS

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or this_processor() is None, reason="this system has no filter of system calls"
)


@contextmanager
def running_worker(*, confined: bool, method: DetectionMethod = "two-stage") -> Iterator[Worker]:
    options = WorkerOptions(EngineOptions("facegate", models(), method=method), PictureLimits(), confined)
    worker = Worker([sys.executable, "-m", "tests.workers.taken_over_worker", options.to_json()])
    try:
        worker.wait_until_ready()
        yield worker
    finally:
        worker.kill()


def act_outcome(worker: Worker, act: str, target: Target) -> str:
    wish = json.dumps({"act": act, "target": asdict(target)}).encode()
    drawn = worker.run(wish, DrawTask(()), 60).drawn
    assert drawn is not None
    return drawn.decode()


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with running_worker(confined=True) as worker:
        yield worker


@pytest.fixture(scope="module")
def sibling() -> Iterator[Worker]:
    with running_worker(confined=False) as worker:
        yield worker


@pytest.fixture
def target(tmp_path: Path, sibling: Worker) -> Target:
    (tmp_path / "people.sqlite").write_bytes(b"faces")
    return Target(str(tmp_path), os.getpid(), sibling.pid)


@pytest.mark.parametrize("act", ACTS)
def test_taken_over_worker_is_refused(act: str, worker: Worker, target: Target) -> None:
    assert act_outcome(worker, act, target) == "refused"
    assert [path.read_bytes() for path in Path(target.folder).iterdir()] == [b"faces"]


def test_worker_with_many_threads_is_ended(target: Target) -> None:
    with running_worker(confined=True) as worker:
        watch = ThreadWatch(lambda: [worker])
        watch.start()
        try:
            with pytest.raises(GatewayError, match="ended unexpectedly"):
                act_outcome(worker, "start threads", target)
        finally:
            watch.stop()
        assert worker.crashed


HARMLESS = [
    "open a socket",
    "read the store",
    "create a file",
    "signal the gateway",
    "run a program",
    "take shared memory",
]


@pytest.mark.parametrize("act", HARMLESS)
def test_worker_that_is_not_confined_is_not_refused(act: str, sibling: Worker, target: Target) -> None:
    """Otherwise the test of the confined worker could not fail."""
    assert act_outcome(sibling, act, target) == "done"


def test_worker_reports_its_confinement(worker: Worker, sibling: Worker) -> None:
    no_landlock = None if landlock_version() >= 1 else "the kernel has none, or a container forbids it"
    assert worker.confinement == Confinement(None, no_landlock)
    assert worker.confinement.warnings == ()
    (warning,) = sibling.confinement.warnings
    assert "workers.confined is false" in warning


def outcome(worker: Worker, picture: bytes, task: Task) -> object:
    """Return the part of the result, or of the error, that does not depend on the time."""
    try:
        seen = worker.run(picture, task, 60)
    except GatewayError as error:
        return error.code, str(error)
    faces = [(face.box, face.landmarks, face.quality, face.chips, face.crop) for face in seen.faces]
    descriptors = [None if face.descriptor is None else face.descriptor.tolist() for face in seen.faces]
    return faces, descriptors, repr(replace(seen, faces=(), timing={}))


@pytest.mark.parametrize("kind", PICTURES)
def test_confined_worker_reads_every_kind_of_picture(kind: str, worker: Worker, sibling: Worker) -> None:
    picture, task = PICTURES[kind](), AnalyseTask(descriptors=None)
    confined, other = (outcome(each, picture, task) for each in (worker, sibling))
    assert confined == other


@pytest.mark.parametrize("task", TASKS)
def test_confined_worker_does_every_task(task: str, worker: Worker, sibling: Worker) -> None:
    confined, other = (outcome(each, frame("obama_1"), TASKS[task]) for each in (worker, sibling))
    assert confined == other


def test_confined_worker_describes_stored_chips_and_a_second_frame(worker: Worker) -> None:
    (face,) = worker.run(frame("obama_1"), TASKS["enrol"], 60).faces
    assert face.chips is not None
    assert worker.run(face.chips, RedescribeTask(), 60).faces[0].descriptor is not None
    first = worker.run(frame("obama_1"), LiveTask(full=True), 60)
    assert worker.run(frame("biden_1"), LiveTask(thumbnail=first.thumbnail), 60).faces


def test_honest_worker_has_few_threads(worker: Worker) -> None:
    for task in TASKS.values():
        outcome(worker, frame("obama_1"), task)
    assert 1 <= (thread_count(worker.pid) or 0) < MAX_THREADS / 2


def test_confined_worker_prepares_the_networks_again_for_many_sizes() -> None:
    """A network is compiled again after 32 sizes. The pyramid has another size for each picture."""
    with (
        PIL.Image.open(io.BytesIO(frame("obama_1"))) as image,
        running_worker(confined=True, method="pyramid") as worker,
    ):
        for side in range(100, 134):
            out = io.BytesIO()
            image.resize((side, side)).save(out, "JPEG")
            worker.run(out.getvalue(), AnalyseTask(descriptors=None), 60)
        assert (thread_count(worker.pid) or 0) < MAX_THREADS / 2
