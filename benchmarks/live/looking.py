"""Looks at the frames of a scene: in a worker process with a clock of its own, and in full for comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.engines import LIMITS, ROOT
from benchmarks.processor_time import PICTURE_LIMIT_S, processor_ms
from gateway.live.looks import Looks
from gateway.model import Analysis, Box, LiveTask, Search
from gateway.vision.engines.conversion import convert, converted_models_folder
from gateway.vision.engines.options import EngineOptions
from gateway.workers.options import WorkerOptions
from gateway.workers.worker import Worker, worker_command

CAMERA = "bench"
FULL_LOOK_S = 60.0
"""The default of ``live.full_look_s``."""

MIN_IOU = 0.3
"""Overlap from which two boxes are of one face."""
MIN_APPEARANCE_FRAMES = 2
"""Frames of a face that counts: the noise of a single frame makes a face of a dog now and then."""
MAX_GAP_FRAMES = 3
"""Frames without the face that do not end an appearance."""


@dataclass(slots=True)
class SceneClock:
    """The time of a scene: it passes from frame to frame."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class Looked:
    """The looks at the frames of a scene. ``ms``: processor time of the worker process. ``faces``: of each frame."""

    ms: float = 0.0
    looks: Counter[str] = field(default_factory=Counter)
    faces: list[tuple[Box, ...]] = field(default_factory=list)

    @property
    def ms_a_frame(self) -> float:
        return self.ms / max(len(self.faces), 1)


class BenchWorker:
    """A worker process as in the gateway, which looks at frames one after the other."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def look_with_gate(self, frames: Iterable[bytes], search: Search, fps: float, warm_up: int = 0) -> Looked:
        """Look at frames as the gateway does. The first ``warm_up`` frames do not count: they come once a second."""
        clock, looked = SceneClock(), Looked()
        looks = Looks(FULL_LOOK_S, lambda: 0, 1, clock=clock, first_phase=lambda: 0.0)
        for number, data in enumerate(frames):
            clock.now += 1.0 if number < warm_up else 1 / fps
            task = looks.task(CAMERA, search)
            before = processor_ms(self._worker.pid)
            analysis = self._worker.run(data, task, PICTURE_LIMIT_S)
            looks.record(CAMERA, task, analysis)
            if number >= warm_up:
                looked.ms += processor_ms(self._worker.pid) - before
                looked.looks[analysis.looked] += 1
                looked.faces.append(faces_of(analysis))
        return looked

    def look_in_full(self, frames: Iterable[bytes], search: Search) -> Looked:
        """Look at every frame in full."""
        looked = Looked()
        for data in frames:
            before = processor_ms(self._worker.pid)
            analysis = self._worker.run(data, LiveTask(search, full=True), PICTURE_LIMIT_S)
            looked.ms += processor_ms(self._worker.pid) - before
            looked.looks[analysis.looked] += 1
            looked.faces.append(faces_of(analysis))
        return looked


@contextmanager
def bench_worker() -> Iterator[BenchWorker]:
    folder = converted_models_folder(ROOT / "data")
    convert(folder)
    worker = Worker(worker_command(WorkerOptions(EngineOptions("facegate", folder), LIMITS)))
    try:
        worker.wait_until_ready()
        yield BenchWorker(worker)
    finally:
        worker.kill()


def faces_of(analysis: Analysis) -> tuple[Box, ...]:
    """Return the faces that a frame shows, those that stand still included."""
    return (*(face.box for face in analysis.faces), *analysis.still)


def appearances(frames: Sequence[Sequence[Box]]) -> list[list[tuple[int, Box]]]:
    """Return the faces as they appear: each as the frames and boxes in which it was seen without a long gap."""
    found: list[list[tuple[int, Box]]] = []
    for number, boxes in enumerate(frames):
        for box in boxes:
            open_ones = [each for each in found if number - each[-1][0] <= MAX_GAP_FRAMES and each[-1][0] < number]
            last = next((each for each in open_ones if is_inside(box, each[-1][1])), None)
            if last is None:
                found.append([(number, box)])
            else:
                last.append((number, box))
    return [each for each in found if len(each) >= MIN_APPEARANCE_FRAMES]


def missed(full: Looked, gate: Looked) -> dict[str, int]:
    """Return the faces and the appearances of full looks, and how many of them the gate missed altogether."""

    def is_seen(number: int, box: Box) -> bool:
        return any(iou(box, other) >= MIN_IOU for other in gate.faces[number])

    seen = [[is_seen(*each) for each in appearance] for appearance in appearances(full.faces)]
    return {
        "faces": sum(map(len, seen)),
        "faces_missed": sum(each.count(False) for each in seen),
        "sightings": len(seen),
        "sightings_missed": sum(not any(each) for each in seen),
    }


def is_inside(one: Box, other: Box) -> bool:
    """Return whether the middle of one box is inside the other."""
    x, y = (one.left + one.right) / 2, (one.top + one.bottom) / 2
    return other.left <= x < other.right and other.top <= y < other.bottom


def iou(one: Box, other: Box) -> float:
    """Return intersection over union of two boxes."""
    both = one.intersection(other)
    return 0.0 if both is None else both.area / (one.area + other.area - both.area)
