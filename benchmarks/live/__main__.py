"""The cost of live cameras, and the sightings that the gate misses: ``python -m benchmarks.live [--json]``.

``ms`` is the processor time of main process and worker process together for one frame. The worker process is a real
one. It gets the frames of a scene with the clock of the scene, so that minutes of a scene take seconds. The main
process is a real gateway with a broker, which gets the frames of up to ten cameras. ``cameras_per_core_1fps`` is for
cameras with a frame a second: of their frames more are full looks, and more are answered.

``full_ms`` is the same for frames of the scene that are looked at in full, with faces, chips and crops. ``stock_ms`` is
face_recognition as in ``benchmarks.engine``, HOG enlarged once, on a frame of the scene. ``sightings_missed``: of the
faces that full looks at every frame find, each followed from frame to frame, those that the gate never saw.

Scenes: ``still`` (one picture), ``noisy`` (the mean of sensor noise, a clock, leaves, steps of the exposure and the
infrared switch, after two minutes), ``walker`` (somebody walks through), all with five frames a second, and ``clip`` (a
film with a moving camera, ten frames a second).
"""

from __future__ import annotations

# It sets the environment before numpy and dlib are loaded.
import benchmarks.engine as engine_benchmark  # isort: split

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

from benchmarks.engines import ROOT
from benchmarks.live.looking import FULL_LOOK_S, BenchWorker, bench_worker, missed
from benchmarks.live.main_process import CameraLoad, main_ms_a_frame
from benchmarks.live.scenes import NOISY, Picture, encode, load, noisy_walk, walk
from gateway.model import Search

DATA = ROOT.parent / "shared" / "data"
FACE_PICTURE = "portraits/barack_obama/obama-1080p.jpg"
EMPTY_PART = (0, 394, 0, 700)
"""Top, bottom, left and right of the part of that picture in which nobody is."""
FACE_PART = (100, 820, 780, 1380)
"""The same for the head."""
HEAD_SHARE = 0.2
"""Height of the walker's head with its surroundings, as a share of the picture's height."""
CLIP_FPS, CAMERA_FPS, SLOW_FPS = 10.0, 5.0, 1.0
STILL_WARM_UP, NOISY_WARM_UP = 10, 120
STOCK_ROUNDS = 3
MISSED_KEYS = ("faces", "faces_missed", "sightings", "sightings_missed")
MIN_FACE = 56
CLIP_MIN_FACE = 40


@dataclass(frozen=True, slots=True)
class Material:
    """The pictures of the scenes. ``face``: a photograph with a face; ``empty``: one without; ``head``: to paste."""

    face: Picture
    empty: Picture
    head: Picture
    clip: Sequence[bytes]


def load_material(data: Path, height: int) -> Material:
    face, large = load(data / FACE_PICTURE, height), load(data / FACE_PICTURE, 1080)
    part, nobody = (large[top:bottom, left:right] for top, bottom, left, right in (FACE_PART, EMPTY_PART))
    empty = cv2.resize(nobody, (height * 16 // 9, height), interpolation=cv2.INTER_LINEAR)
    tall = round(height * HEAD_SHARE * 2)
    head = cv2.resize(part, (tall * part.shape[1] // part.shape[0], tall), interpolation=cv2.INTER_AREA)
    clip = [path.read_bytes() for path in sorted((data / "clip").glob("frame_*.jpg"))]
    return Material(face, np.asarray(empty, np.uint8), np.asarray(head, np.uint8), clip)


def stock_ms(frame: bytes) -> float:
    """Return the median processor time in ms of stock for a frame."""
    name = engine_benchmark.stock(1, "hog")
    times = []
    for _ in range(STOCK_ROUNDS + 1):
        begun = time.process_time()
        name(frame)
        times.append(1000 * (time.process_time() - begun))
    return statistics.median(times[1:])


def figures(ms: float, slow_ms: float, full_ms: float, stock: float, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a scene. ``slow_ms``: milliseconds a frame of a camera with a frame a second."""
    return {
        "ms": round(ms, 3),
        "full_ms": round(full_ms, 2),
        "stock_ms": round(stock, 1),
        "ratio_full": round(full_ms / ms, 1),
        "ratio_stock": round(stock / ms, 1),
        "cameras_per_core_1fps": int(1000 / slow_ms),
        **more,
    }


class Bench:
    """The measurements of all scenes. ``main``: milliseconds of the main process a frame, by scene."""

    def __init__(self, worker: BenchWorker, material: Material, main: Mapping[str, float], frames: int) -> None:
        self._worker = worker
        self._material = material
        self._main = main
        self._frames = frames

    def still(self) -> dict[str, Any]:
        frame = encode(self._material.face)
        return self._measure("still", [frame] * (self._frames + STILL_WARM_UP), CAMERA_FPS, STILL_WARM_UP)

    def noisy(self) -> dict[str, Any]:
        kinds = {name: self._noisy_kind(name) for name in NOISY}
        ms, full, stock, main = (
            statistics.mean(each[key] for each in kinds.values()) for key in ("ms", "full_ms", "stock_ms", "main_ms")
        )
        slow_ms = statistics.mean(1000 / each["cameras_per_core_1fps"] for each in kinds.values())
        counts = {key: sum(each[key] for each in kinds.values()) for key in MISSED_KEYS} | {"main_ms": round(main, 3)}
        return figures(ms, slow_ms, full, stock, {**counts, "kinds": kinds})

    def walker(self) -> dict[str, Any]:
        random = np.random.default_rng(1)
        frames = [
            encode(each) for each in islice(walk(self._material.empty, self._material.head, random), self._frames)
        ]
        return self._measure("walker", frames, CAMERA_FPS, 0)

    def clip(self) -> dict[str, Any]:
        return self._measure("clip", self._material.clip, CLIP_FPS, 0, CLIP_MIN_FACE)

    def _noisy_kind(self, name: str) -> dict[str, Any]:
        scene, random = NOISY[name], np.random.default_rng(1)
        frames = [encode(each) for each in islice(scene(self._material.face, random), self._frames + NOISY_WARM_UP)]
        cost = self._measure("noisy", frames, CAMERA_FPS, NOISY_WARM_UP)
        walks = noisy_walk(self._material.empty, self._material.head, scene, random, NOISY_WARM_UP)
        walked = [encode(each) for each in islice(walks, NOISY_WARM_UP + self._frames)]
        return cost | self._missed(walked, CAMERA_FPS, NOISY_WARM_UP, MIN_FACE)

    def _measure(
        self, name: str, frames: Sequence[bytes], fps: float, warm_up: int, min_face: int = MIN_FACE
    ) -> dict[str, Any]:
        search, main = Search(min_face), self._main
        gate = self._worker.look_with_gate(frames, search, fps, warm_up)
        full = self._worker.look_in_full(frames[warm_up:], search)
        worker_ms, main_ms = gate.ms_a_frame, main[name]
        # The main process answers every frame that was looked at. Such frames are those of the clip.
        full_ms = full.ms_a_frame + main["clip"]
        more = {"worker_ms": round(worker_ms, 3), "main_ms": round(main_ms, 3), "looks": dict(gate.looks)}
        # A camera with fewer frames has as many full looks.
        slow_ms = worker_ms + main[f"{name}_slow"] + full.ms_a_frame * (1 / SLOW_FPS - 1 / fps) / FULL_LOOK_S
        return figures(worker_ms + main_ms, slow_ms, full_ms, stock_ms(frames[-1]), more | missed(full, gate))

    def _missed(self, frames: Sequence[bytes], fps: float, warm_up: int, min_face: int) -> dict[str, int]:
        search = Search(min_face)
        gate = self._worker.look_with_gate(frames, search, fps, warm_up)
        return missed(self._worker.look_in_full(frames[warm_up:], search), gate)


def main_loads(material: Material) -> dict[str, CameraLoad]:
    """Return the load of each scene for the main process: at the scene's own rate, and ``slow``."""
    random = np.random.default_rng(2)
    walked = [encode(each) for each in islice(walk(material.empty, material.head, random), 100)]
    loads = {
        "still": CameraLoad([encode(material.face)], CAMERA_FPS, 10),
        "noisy": CameraLoad(
            [encode(each) for each in islice(NOISY["noise"](material.face, random), 20)], CAMERA_FPS, 10
        ),
        "walker": CameraLoad(walked, CAMERA_FPS, 2),
        "clip": CameraLoad(material.clip, CLIP_FPS, 1),
    }
    return loads | {f"{name}_slow": CameraLoad(load.frames, SLOW_FPS, 10) for name, load in loads.items()}


def measure(data: Path, height: int, frames: int, seconds: float) -> dict[str, Any]:
    material = load_material(data, height)
    main = main_ms_a_frame(main_loads(material), seconds)
    with bench_worker() as worker:
        bench = Bench(worker, material, main, frames)
        scenes: dict[str, Callable[[], dict[str, Any]]] = {
            "still": bench.still,
            "noisy": bench.noisy,
            "walker": bench.walker,
            "clip": bench.clip,
        }
        return {name: scene() for name, scene in scenes.items()}


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option("--data", default=DATA, type=click.Path(exists=True, path_type=Path), help="The labelled photographs.")
@click.option("--height", default=720, show_default=True, help="Height of the pictures, which are 16:9.")
@click.option("--frames", default=240, show_default=True, help="Frames of each scene that count.")
@click.option("--seconds", default=15.0, show_default=True, help="Time for the main process with each scene.")
def main(as_json: bool, data: Path, height: int, frames: int, seconds: float) -> None:
    result = measure(data, height, frames, seconds)
    if as_json:
        click.echo(json.dumps(result))
        return
    for name, found in result.items():
        _print(name, found)
        for kind, each in found.get("kinds", {}).items():
            _print(f"  {kind}", each)


def _print(name: str, found: Mapping[str, Any]) -> None:
    click.echo(
        f"{name}: {found['ms']} ms a frame (main process {found['main_ms']}), in full {found['full_ms']}, stock"
        f" {found['stock_ms']}: {found['ratio_full']} and {found['ratio_stock']} times cheaper;"
        f" {found['sightings_missed']} of {found['sightings']} sightings missed"
    )


if __name__ == "__main__":
    main()
