"""The face detector compared with dlib's, with the same smallest face: ``python -m benchmarks.detection [--json]``.

HOG enlarged once finds faces from 40 px. HOG and the CNN without enlargement find them from 80 px. Facegate is measured
with both limits and with its default. Three sets of photographs are used, which are not part of the project:

- groups: pictures with labelled faces, and one of dogs. Other detections count as false.
- perturbed: portraits that are rotated, squeezed, darkened, masked and so on. The true box of each was drawn by eye.
- clip: one recording of a camera, without labels. All detections are counted.

Each picture is given to one detector after the other, on one thread. ms: the median time of a detection. Facegate
detects twice, and the second time counts: its network is prepared for each new size of picture (about 0.1 s), which
happens once for a camera.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy and dlib

import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.engines import LIMITS, ROOT, engine
from gateway.model import Box, Search
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines import detector as detector_module

PORTRAIT_SIDE_PX = 640
"""Longer side to which portraits are scaled."""

PORTRAITS: Mapping[str, tuple[float, float, float]] = {
    "alex_lacamoire/alex-lacamoire.png": (0.62, 0.60, 0.44),
    "alex_lacamoire/alex_lacamoire1.jpg": (0.515, 0.38, 0.22),
    "alex_lacamoire/img1.jpg": (0.505, 0.32, 0.40),
    "barack_obama/obama-480p.jpg": (0.515, 0.25, 0.135),
    "barack_obama/obama.jpg": (0.545, 0.235, 0.275),
    "barack_obama/obama1.jpg": (0.49, 0.49, 0.265),
    "barack_obama/obama2.jpg": (0.52, 0.385, 0.53),
    "barack_obama/obama3.jpg": (0.54, 0.205, 0.20),
    "barack_obama/obama_partial_face.jpg": (0.17, 0.235, 0.51),
    "barack_obama/obama_partial_face2.jpg": (0.87, 0.24, 0.45),
    "barack_obama/obama_small.jpg": (0.50, 0.54, 0.35),
    "joe_biden/biden.jpg": (0.605, 0.195, 0.29),
    "joe_biden/biden2.jpg": (0.53, 0.42, 0.44),
    "kit_harington/john1.jpeg": (0.625, 0.28, 0.13),
    "kit_harington/john2.jpeg": (0.61, 0.51, 0.27),
    "kit_harington/johnsnow_test1.jpg": (0.48, 0.235, 0.285),
    "lin_manuel_miranda/lin-manuel-miranda.png": (0.585, 0.53, 0.42),
    "rose_leslie/img1.jpg": (0.58, 0.30, 0.19),
    "rose_leslie/img2.jpg": (0.52, 0.37, 0.45),
}
"""The face in each portrait, by eye: its centre as shares of width and height, and its size as a share of the width.

The face is a square from the middle of the forehead to the chin. Of the four sizes of one scene (``obama-*p``) only one
is used.
"""

SCENES = {"wide stage": range(7), "pianist": range(7, 28), "singer": range(28, 71), "audience": range(71, 92)}
"""Scenes of the clip, by frame number.

The first scene shows two faces: one of 40 px, and one of 30 px in profile. The second shows one face in profile, which
is sometimes outside of the picture. The third shows one face, and the fourth shows four.
"""

MAX_CENTRE_DISTANCE = 0.5
"""Largest distance between the centres of a detection and a face, across or down, as a share of the face's size.

Detectors and labels frame a face differently, with more or less of the forehead. Overlap would favour detectors that
frame faces like the labels. So a detection must have its centre in the labelled square, and its size within a factor of
2. No labelled face has its centre in the square of another.
"""

Transform = NDArray[np.float64]
"""Affine transform, shape (2, 3): multiplied by (x, y, 1) it gives the new place of a point."""

IDENTITY: Transform = np.eye(2, 3)


@dataclass(frozen=True, slots=True)
class Face:
    """A face: its centre and the side of its square, in pixels. The corners of a pixel are whole numbers."""

    x: float
    y: float
    size: float

    def moved(self, transform: Transform) -> Face:
        x, y = (transform @ (self.x, self.y, 1)).tolist()
        return Face(x, y, self.size * math.sqrt(abs(np.linalg.det(transform[:, :2]))))


Perturbation = Callable[[Picture, Face], tuple[Picture, Transform]]


def turned(degrees: float) -> Perturbation:
    """Return a rotation of the whole picture, with black corners."""

    def perturb(picture: Picture, _face: Face) -> tuple[Picture, Transform]:
        size = np.array(picture.shape[1::-1])
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        turn = np.array([[cos, -sin], [sin, cos]])
        room = np.ceil(np.abs(turn) @ size)
        shift = room / 2 - turn @ (size / 2)
        of_middles = np.column_stack(
            [turn, shift + turn @ (0.5, 0.5) - 0.5]
        )  # OpenCV counts from the centres of pixels
        changed = cv2.warpAffine(picture, of_middles, room.astype(int).tolist())
        return changed.astype(np.uint8), np.column_stack([turn, shift])

    return perturb


def scaled(across: float, down: float) -> Perturbation:
    def perturb(picture: Picture, _face: Face) -> tuple[Picture, Transform]:
        height, width = picture.shape[:2]
        size = round(width * across), round(height * down)
        transform = np.diag([size[0] / width, size[1] / height]) @ IDENTITY
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8), transform

    return perturb


def still(change: Callable[[Picture, Face], NDArray[Any]]) -> Perturbation:
    """Return a perturbation that changes only colours."""

    def perturb(picture: Picture, face: Face) -> tuple[Picture, Transform]:
        changed: Picture = np.clip(change(picture, face), 0, 255).astype(np.uint8)
        return changed, IDENTITY

    return perturb


def masked(top: float, bottom: float, across: float, grey: int) -> Perturbation:
    """Return a mask from ``top`` to ``bottom`` of the face's centre, ``across`` wide, as shares of its size."""

    def mask(picture: Picture, face: Face) -> Picture:
        covered: Picture = picture.copy()
        left, right = face.x - face.size * across / 2, face.x + face.size * across / 2
        rows = slice(max(round(face.y + face.size * top), 0), round(face.y + face.size * bottom))
        covered[rows, max(round(left), 0) : round(right)] = grey
        return covered

    return still(mask)


def _noisy(picture: Picture, _face: Face) -> NDArray[np.float64]:
    noisy: NDArray[np.float64] = np.random.default_rng(0).normal(picture, 25)
    return noisy


PERTURBATIONS: Mapping[str, Perturbation] = {
    "as it is": still(lambda picture, _: picture),
    "turned 15": turned(15),
    "turned 30": turned(30),
    "turned 60": turned(60),
    "narrow": scaled(0.6, 1),
    "flat": scaled(1, 0.6),
    "dark": still(lambda picture, _: picture * 0.25),
    "pale": still(lambda picture, _: picture * 0.35 + 160),
    "blurred": still(lambda picture, face: cv2.GaussianBlur(picture, (0, 0), face.size / 20)),
    "lower half masked": masked(0, 0.55, 1.1, 128),
    "eyes masked": masked(-0.36, -0.1, 1.1, 20),
    "half size": scaled(0.5, 0.5),
    "quarter size": scaled(0.25, 0.25),
    "JPEG 10": still(lambda picture, _: simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(picture, quality=10))),
    "noisy": still(_noisy),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture to detect faces in. ``kind``: the perturbation, or the scene. ``faces``: None without labels."""

    kind: str
    picture: Picture
    faces: Sequence[Face] | None


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector. ``smallest``: its smallest face, in pixels. ``prepares``: whether each size needs a preparation."""

    smallest: int
    name: str
    detect: Callable[[Picture], list[Box]]
    prepares: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one detector for one sample. ``labelled``: the number of labelled faces."""

    kind: str
    detector: Detector
    labelled: int
    found: int
    false: int
    ms: float


def detectors(cnn_enlarged: bool) -> list[Detector]:
    # The import loads the models.
    from gateway.vision.engines.stock import api

    facegate_detector = engine().detector

    def stock(enlarged: int, model: str) -> Callable[[Picture], list[Box]]:
        return lambda picture: [
            Box(left, top, right, bottom)
            for top, right, bottom, left in api.face_locations(picture, enlarged, model)
        ]  # fmt: skip

    def facegate(smallest: int) -> Detector:
        def detect(picture: Picture) -> list[Box]:
            return [face.box for face in facegate_detector.detect(picture, smallest, None)]

        return Detector(smallest, "facegate", detect, prepares=True)

    return [
        Detector(40, "hog1", stock(1, "hog")),
        *([Detector(40, "cnn1", stock(1, "cnn"))] if cnn_enlarged else []),
        facegate(40),
        facegate(Search().min_face),
        Detector(80, "hog0", stock(0, "hog")),
        Detector(80, "cnn", stock(0, "cnn")),
        facegate(80),
    ]


def match(detections: Iterable[Box], faces: Iterable[Face]) -> int:
    """Return the number of found faces. Each is matched with the nearest unused detection that fits."""
    left = [_face(box) for box in detections]
    found = 0
    for face in faces:
        fitting = [each for each in left if _fits(each, face)]
        if fitting:
            found += 1
            left.remove(min(fitting, key=lambda each: _away(each, face)))
    return found


def _face(box: Box) -> Face:
    return Face((box.left + box.right) / 2, (box.top + box.bottom) / 2, math.sqrt(box.area))


def _fits(detection: Face, face: Face) -> bool:
    return (
        _away(detection, face) <= MAX_CENTRE_DISTANCE * face.size and face.size / 2 <= detection.size <= face.size * 2
    )


def _away(detection: Face, face: Face) -> float:
    return max(abs(detection.x - face.x), abs(detection.y - face.y))


def groups(folder: Path) -> Iterator[Sample]:
    for file in ("testing.xml", "training.xml"):
        for image in ElementTree.parse(folder / file).iter("image"):  # noqa: S314 (the user's own file)
            faces = [_labelled(**{edge: int(value) for edge, value in box.items()}) for box in image.iter("box")]
            yield Sample("people", _load(folder / image.attrib["file"]), faces)
    yield Sample("dogs", _load(folder / "dogs.jpg"), [])


def _labelled(left: int, top: int, width: int, height: int) -> Face:
    return _face(Box(left, top, left + width, top + height))


def perturbed(folder: Path) -> Iterator[Sample]:
    for file, (x, y, share) in PORTRAITS.items():
        picture = _load(folder / file)
        scale = min(PORTRAIT_SIDE_PX / max(picture.shape), 1)
        picture, _ = scaled(scale, scale)(picture, Face(0, 0, 0))
        height, width = picture.shape[:2]
        face = Face(x * width, y * height, share * width)
        for kind, perturb in PERTURBATIONS.items():
            changed, transform = perturb(picture, face)
            yield Sample(kind, changed, [face.moved(transform)])


def clip(folder: Path) -> Iterator[Sample]:
    for scene, frames in SCENES.items():
        for number in frames:
            yield Sample(scene, _load(folder / f"frame_{number:03}.jpg"), None)


def _load(path: Path) -> Picture:
    return decode(path.read_bytes(), LIMITS)


SETS: Mapping[str, tuple[str, Callable[[Path], Iterator[Sample]]]] = {
    "groups": ("groups", groups),
    "perturbed": ("portraits", perturbed),
    "clip": ("clip", clip),
}
"""The sets by name: their folder, and the function that reads it."""


def detect_all(samples: Iterable[Sample], competing: Sequence[Detector]) -> Iterator[Outcome]:
    for sample in samples:
        for detector in competing:
            if detector.prepares:
                detector.detect(sample.picture)
            begun = time.perf_counter()
            detections = detector.detect(sample.picture)
            ms = 1000 * (time.perf_counter() - begun)
            faces = sample.faces
            found = len(detections) if faces is None else match(detections, faces)
            yield Outcome(sample.kind, detector, len(faces or ()), found, len(detections) - found, ms)


def summary(outcomes: Sequence[Outcome], labelled: bool) -> dict[str, Any]:
    """Return the figures by smallest face and detector. ``by_kind``: the found faces in each kind of samples."""
    by_size: dict[str, Any] = {}
    by_kind: dict[str, Any] = {}
    own: list[Outcome] = []
    for detector in dict.fromkeys(each.detector for each in outcomes):
        own = [each for each in outcomes if each.detector is detector]
        px = f"{detector.smallest}px"
        by_size.setdefault(px, {})[detector.name] = {
            "found": sum(each.found for each in own),
            **({"false": sum(each.false for each in own)} if labelled else {}),
            "ms": round(statistics.median(each.ms for each in own), 2),
        }
        for kind in dict.fromkeys(each.kind for each in own):
            of_kind = [each for each in own if each.kind == kind]
            counts = by_kind.setdefault(kind, {"pictures": len(of_kind)}).setdefault(px, {})
            counts[detector.name] = sum(each.found for each in of_kind)
    labels = {"labelled": sum(each.labelled for each in own)} if labelled else {}
    return {"pictures": len(own), **labels, **by_size, "by_kind": by_kind}


def ratios(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the faces of facegate, divided by those of stock: of its best detector, and of HOG, by smallest face."""
    found = {}
    for name in SETS.keys() & result.keys():
        for px in ("40px", "80px"):
            figures = {detector: each["found"] for detector, each in result[name][px].items()}
            facegate_found = figures.pop("facegate")
            found[f"{name}_{px}"] = round(facegate_found / max(*figures.values(), 1), 3)
            if px == "40px":
                found[f"{name}_40px_to_hog1"] = round(facegate_found / max(figures["hog1"], 1), 3)
    return dict(sorted(found.items()))


MIN_RATIO = 0.95
RATIO_FLOORS = {
    **{f"{name}_{px}": MIN_RATIO for name in SETS for px in ("40px", "80px")},
    "perturbed_40px_to_hog1": 1.25,
    "clip_40px_to_hog1": 2.0,
}
"""Smallest allowed value of each ratio."""


def measure(pictures: Path, competing: Sequence[Detector]) -> dict[str, Any]:
    result: dict[str, Any] = {"threshold": detector_module.MIN_FACE_SCORE}
    missing = []
    for name, (folder, samples) in SETS.items():
        progress = Console(stderr=True)
        shown = track(samples(pictures / folder), name, console=progress, disable=not progress.is_terminal)
        try:
            outcomes = list(detect_all(shown, competing))
        except FileNotFoundError as error:
            missing.append(str(error.filename))
        else:
            result[name] = summary(outcomes, labelled=name != "clip")
    result["ratios"] = ratios(result)
    result["floors"] = {
        name: result["ratios"][name] >= floor for name, floor in RATIO_FLOORS.items() if name in result["ratios"]
    }
    return {**result, "missing": missing}


def show(result: Mapping[str, Any]) -> None:
    for name in SETS:
        if name in result:
            Console().print(_table(name, result[name]), "")
    for name, ratio in result["ratios"].items():
        floor = RATIO_FLOORS.get(name)
        verdict = "" if floor is None else f", {'kept' if result['floors'][name] else 'NOT KEPT'}: at least {floor}"
        click.echo(f"{name}: facegate finds {ratio} times as many as stock{verdict}")
    for path in result["missing"]:
        click.echo(f"{path} does not exist, so its set was left out: choose the folder with --pictures.")


def _table(name: str, figures: Mapping[str, Any]) -> Table:
    """Return a table with one detector per column."""
    labels = f", {figures['labelled']} faces" if "labelled" in figures else ""
    table = Table(title=f"{name}: {figures['pictures']} pictures{labels}", title_justify="left")
    table.add_column("")
    columns = [(px, detector) for px in figures if px.endswith("px") for detector in figures[px]]
    for px, detector in columns:
        table.add_column(f"{px}\n{detector}", justify="right")
    for row in ("found", "false", "ms"):
        table.add_row(row, *(str(figures[px][detector].get(row, "?")) for px, detector in columns))
    table.add_section()
    for kind, counts in figures["by_kind"].items():
        found = (str(counts[px][detector]) for px, detector in columns)
        table.add_row(f"{kind} ({counts['pictures']})", *found)
    return table


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option(
    "--pictures", type=click.Path(file_okay=False, path_type=Path), default=ROOT.parent / "shared" / "data",
    help="Folder with groups, portraits and clip.  [default: ../shared/data, relative to the project]",
)  # fmt: skip
@click.option(
    "--threshold",
    default=detector_module.MIN_FACE_SCORE,
    show_default=True,
    help="Score above which facegate counts a window as a face.",
)
@click.option(
    "--cnn-enlarged",
    is_flag=True,
    help="Also run dlib's CNN enlarged once: it finds 40 px, and takes many seconds per picture.",
)
def main(as_json: bool, pictures: Path, threshold: float, cnn_enlarged: bool) -> None:
    cv2.setNumThreads(1)
    detector_module.MIN_FACE_SCORE = threshold
    result = measure(pictures, detectors(cnn_enlarged))
    if as_json:
        click.echo(json.dumps(result))
    else:
        show(result)


if __name__ == "__main__":
    main()
