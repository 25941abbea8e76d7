"""Comparison of the gateway's engine with dlib: equal results in 32 bits, and small differences in fewer bits."""

from __future__ import annotations

import math
import os
import platform
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import cv2
import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.model import Box, DetectorPrecision, PictureLimits
from gateway.vision.chips import cut_chips
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.detector import suppress
from gateway.vision.engines.dlib_weights import read_detector
from gateway.vision.engines.graphs import detector_graph
from gateway.vision.engines.landmarks import Predictor5
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.networks import open_detector, open_embedder
from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.processor import Float
from gateway.vision.engines.pyramid import Rect
from gateway.vision.engines.runtime import Graph
from tests.support import FRAMES, KNOWN_FACES, ROOT, SHARED

Floats = NDArray[np.float32]
Found = list[tuple[float, Rect]]

OWN = sorted([*FRAMES.glob("*.jpg"), *KNOWN_FACES.rglob("*.jpg")])
OTHERS = [
    SHARED / name
    for name in (
        "portraits/barack_obama/obama_small.jpg",
        "portraits/kit_harington/john2.jpeg",
        "groups/2008_001322.jpg",
        "groups/2008_002506.jpg",
        "clip/frame_030.jpg",
        "clip/frame_072.jpg",
        "clip/frame_090.jpg",
    )
]

PARTS = [
    (FRAMES / "biden_1.jpg", Box(240, 80, 501, 340)),
    (FRAMES / "empty_1.jpg", Box(200, 100, 350, 250)),
    (FRAMES / "hopper_1.jpg", Box(160, 110, 422, 380)),
    (FRAMES / "obama_1.jpg", Box(340, 50, 603, 310)),
    (FRAMES / "obama_1.jpg", Box(420, 50, 600, 330)),
    (FRAMES / "stranger_2.jpg", Box(190, 50, 454, 313)),
    (SHARED / "portraits/barack_obama/obama_small.jpg", Box(0, 0, 320, 240)),
    (SHARED / "groups/2008_002506.jpg", Box(100, 30, 470, 210)),
    (SHARED / "clip/frame_072.jpg", Box(0, 20, 480, 200)),
]
"""Parts of the pictures for dlib's CNN, which takes seconds for half a megapixel. One face is cut off at the edge."""

OUTER, BETWEEN = 11, 10
"""Pixels around dlib's pyramid, and between its levels."""

MIN_FACE = 56
SURE, FAINT = 0.9, 0.3
"""Scores of a clear face, and of a face that a detector may miss."""


def read(path: Path) -> Picture:
    if SHARED in path.parents and not SHARED.is_dir():
        pytest.skip(f"{path.name} is not here: {SHARED.name} beside the project is absent")
    return decode(path.read_bytes(), PictureLimits())


def name_of(path: object) -> str:
    return path.stem if isinstance(path, Path) else ""


def dlib_levels(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the sizes of the levels of dlib's pyramid: each is 5/6 of the one before, down to a height of 5 pixels."""
    yield width, height
    while (height := math.floor(5 / 6 * height)) >= 5 and (width := math.floor(5 / 6 * width)):
        yield width, height


def dlib_layout(width: int, height: int) -> tuple[list[Box], tuple[int, int]]:
    """Return the place of each level and the size of the canvas, as ``compute_tiled_image_pyramid_details`` of dlib.

    Down along the left edge to where what is left would fit beside the last, and up again along the right one.
    """
    remaining = deque(dlib_levels(width, height))
    total = sum(h + BETWEEN for _, h in remaining) - 2 * BETWEEN
    places: list[Box] = []
    y, beside = OUTER, 0
    while remaining:
        w, h = remaining[0]
        if w <= width - beside - BETWEEN and 2 * (y - OUTER - height) >= total - height:
            break
        remaining.popleft()
        places.append(Box(OUTER, y, OUTER + w, y + h))
        y, beside = y + h + BETWEEN, w
    y -= BETWEEN
    size = width + 2 * OUTER, y + OUTER
    for w, h in remaining:
        if y - h < places[0].bottom:
            break
        places.append(Box(OUTER + width - w, y - h, OUTER + width, y))
        y -= h + BETWEEN
    return places, size


def resized(level: Floats, width: int, height: int) -> Floats:
    """Scale between neighbouring pixels, corners onto corners, as ``resize_bilinear`` of dlib."""
    rows, down = neighbours(level.shape[0], height)
    columns, across = neighbours(level.shape[1], width)
    level = level[rows[0]] * (1 - down[:, None, None]) + level[rows[1]] * down[:, None, None]
    return level[:, columns[0]] * (1 - across[:, None]) + level[:, columns[1]] * across[:, None]


def neighbours(old: int, new: int) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], Floats]:
    """Return for each new pixel the old pixels before and after it, and its distance from the former."""
    at = np.arange(new) * ((old - 1) / max(new - 1, 1))
    before = at.astype(np.intp)
    return (before, np.minimum(before + 1, old - 1)), (at - before).astype(np.float32)


def draw_canvas(picture: Picture, places: list[Box], size: tuple[int, int], mean: tuple[float, ...]) -> Floats:
    """Return the canvas, widened to whole blocks of four pixels. dlib's network does not use the added pixels."""
    canvas = np.empty((size[1], -(-size[0] // 4) * 4, 3), np.float32)
    canvas[:] = mean
    level = picture.astype(np.float32)
    for place in places:
        level = resized(level, place.right - place.left, place.bottom - place.top)
        canvas[place.top : place.bottom, place.left : place.right] = level
    return canvas.reshape(1, size[1], -1, 12)


def windows(scores: Floats, places: list[Box]) -> Iterator[tuple[float, Rect]]:
    """Yield the windows with a score above 0, in pixels of the picture."""
    for row, column in np.argwhere(scores > 0).tolist():
        x, y = 8 * column + 14, 8 * row + 14
        level = min(range(len(places)), key=lambda n: distance_to(places[n], x, y))
        x, y = x - places[level].left, y - places[level].top
        left, top, right, bottom = (point_up(edge, level) for edge in (x - 39.5, y - 39.5, x + 39.5, y + 39.5))
        yield float(scores[row, column]), (left, top, right, bottom)


def distance_to(place: Box, x: int, y: int) -> int:
    across, down = max(place.left - x, 0, x - place.right + 1), max(place.top - y, 0, y - place.bottom + 1)
    return across * across + down * down


def point_up(edge: float, level: int) -> float:
    """Convert an edge to pixels of the picture, as ``pyramid_down<6>::point_up`` of dlib."""
    for _ in range(level):
        edge = edge * 1.2 + 0.3
    return edge


@pytest.fixture(scope="module")
def detect_on_dlib_pyramid() -> Callable[[Picture], Found]:
    """Return a function that runs the gateway's graph in 32 bits on dlib's pyramid of a picture."""
    network = read_detector(model_file("detector"))
    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    run = openvino.Core().compile_model(detector_graph(network), "CPU", options)

    def detect_on_dlib_pyramid(picture: Picture) -> Found:
        places, size = dlib_layout(picture.shape[1], picture.shape[0])
        scores = run(draw_canvas(picture, places, size, network.mean))[0][0, 0]
        return suppress(list(windows(scores, places)))

    return detect_on_dlib_pyramid


@pytest.fixture(scope="module")
def dlib_detector() -> dlib.cnn_face_detection_model_v1:
    return dlib.cnn_face_detection_model_v1(str(model_file("detector")))


@pytest.mark.parametrize(("path", "part"), PARTS, ids=name_of)
def test_detector_finds_the_faces_of_dlib(
    detect_on_dlib_pyramid: Callable[[Picture], Found],
    dlib_detector: dlib.cnn_face_detection_model_v1,
    path: Path,
    part: Box,
) -> None:
    """Both detectors find the same faces. Scores agree within 1e-4 (measured: 3e-6), edges within one pixel."""
    picture = np.ascontiguousarray(read(path)[part.top : part.bottom, part.left : part.right])
    theirs = sorted(dlib_detector(picture, 0), key=lambda face: -face.confidence)
    found = detect_on_dlib_pyramid(picture)
    assert len(found) == len(theirs)
    for (score, rect), face in zip(found, theirs, strict=True):
        edges = face.rect.left(), face.rect.top(), face.rect.right(), face.rect.bottom()
        assert score == pytest.approx(face.confidence, abs=1e-4)
        assert rect == pytest.approx(edges, abs=1)


def test_face_is_at_the_same_place_on_a_level_of_both_pyramids(
    dlib_detector: dlib.cnn_face_detection_model_v1, models: Path
) -> None:
    """The level of the picture's own size is in both pyramids if the smallest face is as large as the window."""
    part = read(FRAMES / "obama_1.jpg")[40:320, 320:620]
    picture = cv2.resize(part, (120, 112), interpolation=cv2.INTER_AREA).astype(np.uint8)
    (face,) = dlib_detector(picture, 0)
    ((score, rect),) = open_detector(models, "f32").find_scored(picture, 80, 80)
    assert face.rect.width() == 80
    assert score == pytest.approx(face.confidence, abs=0.05)  # what lies beside it on the canvas is in it, too
    assert rect == pytest.approx((face.rect.left(), face.rect.top(), face.rect.right(), face.rect.bottom()), abs=0.6)


@pytest.fixture(scope="module")
def found(models: Path) -> Callable[[str, Path], Found]:
    """Return a cached function that detects the faces of a picture in a precision."""
    detectors = {precision: open_detector(models, precision) for precision in get_args(DetectorPrecision)}

    @cache
    def found(precision: str, path: Path) -> Found:
        return detectors[precision].find_scored(read(path), MIN_FACE)

    return found


@pytest.fixture(scope="module")
def aligned(found: Callable[[str, Path], Found]) -> Callable[[Path], tuple[list[Box], Picture]]:
    """Return a function that returns the boxes and the chips of a picture's faces."""
    predictor_5 = Predictor5(model_file("landmarks_5"))

    def aligned(path: Path) -> tuple[list[Box], Picture]:
        picture = read(path)
        boxes = [Box(*map(round, rect)) for _, rect in found("f32", path)]
        chips = [cut_chips(picture, predictor_5.points(picture, box), "stream") for box in boxes]
        return boxes, np.concatenate([np.empty((0, 150, 150, 3), np.uint8), *chips])

    return aligned


@pytest.fixture(scope="module")
def graphs(models: Path) -> Mapping[Float, Graph]:
    """The graphs of the descriptor network, by precision."""
    return {floats: Graph(models / "descriptor-f32.xml", floats) for floats in get_args(Float)}


def test_descriptors_of_any_chips_equal_those_of_dlib(graphs: Mapping[Float, Graph]) -> None:
    """Each number agrees within 1e-5 (measured: 1.5e-6), without normalisation, for noise, black and white."""
    noise = np.random.default_rng(1).integers(0, 256, (2, 150, 150, 3), np.uint8)
    chips = np.concatenate([noise, np.zeros_like(noise[:1]), np.full_like(noise[:1], 255)])
    model = dlib.face_recognition_model_v1(str(model_file("descriptor")))
    theirs = [model.compute_face_descriptor(chip) for chip in chips]
    np.testing.assert_allclose(graphs["f32"].run(chips), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", [*OWN, *OTHERS[:2]], ids=name_of)
def test_points_chip_and_descriptor_equal_those_of_face_recognition(
    stock: Any, aligned: Callable[[Path], tuple[list[Box], Picture]], graphs: Mapping[Float, Graph], path: Path
) -> None:
    """Each number of the descriptor agrees within 1e-5 (measured: 7e-7); points and chip are equal."""
    boxes, chips = aligned(path)
    theirs = stock.face_encodings(read(path), [(box.top, box.right, box.bottom, box.left) for box in boxes], 1, "small")
    assert len(theirs) == len(chips)
    for chip, encoding in zip(chips, theirs, strict=True):
        np.testing.assert_allclose(graphs["f32"].run(chip[None])[0], encoding, rtol=0, atol=1e-5)


def test_bfloat16_changes_descriptors_only_slightly(
    aligned: Callable[[Path], tuple[list[Box], Picture]], graphs: Mapping[Float, Graph]
) -> None:
    """Measured as L2 distance over 79 descriptors of unit length: 0.008 in the mean and 0.016 at most.

    A processor without bfloat16 gets the same setting. It computes with more bits, or emulates bfloat16.
    """
    chips = np.concatenate([aligned(path)[1] for path in [*OWN, *filter(Path.exists, OTHERS)]])
    assert len(chips) >= 11
    raw = {floats: graph.run(chips) for floats, graph in graphs.items()}
    exact, fast = (raw[floats] / np.linalg.norm(raw[floats], axis=1, keepdims=True) for floats in get_args(Float))
    drift = np.linalg.norm(exact - fast, axis=1)
    assert drift.mean() < 0.012
    assert drift.max() < 0.025


def test_8_bits_change_descriptors_only_slightly(
    aligned: Callable[[Path], tuple[list[Box], Picture]], models: Path
) -> None:
    """Measured as L2 distance over 2,034 faces, each a chip and its mirror image: 0.016 in the mean, 0.036 at most."""
    chips = np.concatenate([aligned(path)[1] for path in [*OWN, *filter(Path.exists, OTHERS)]])
    exact, rounded = (open_embedder(models, each).embed(list(chips[:, None])) for each in ("f32", "int8"))
    drift = np.linalg.norm(np.subtract(exact, rounded), axis=1)
    assert 0 < drift.mean() < 0.02
    assert drift.max() < 0.05


@pytest.mark.parametrize("path", [*OWN, *OTHERS], ids=name_of)
@pytest.mark.parametrize(("precision", "sure", "unsure"), [("bf16", 0.02, 0.02), ("int8", 0.04, 0.12)])
def test_lower_precision_finds_the_same_faces(
    found: Callable[[str, Path], Found], path: Path, precision: str, sure: float, unsure: float
) -> None:
    """Both precisions find the same faces with nearly the same scores, except the faintest ones.

    Measured over 245 faces, of 40, 56 and 80 px and more: bfloat16 changes a score by 0.002 in the mean and 0.009 at
    most. Measured over 97 faces: 8 bits change a score by 0.004 in the mean and 0.035 at most. A face between two
    levels of the pyramid may be found on the other level: such windows overlap by 0.48.
    """
    exact, fast = found("f32", path), found(precision, path)
    assert all(any(is_same_face(face, other) for other in exact) for face in fast if face[0] > FAINT)
    for face in exact:
        if face[0] > FAINT:
            score = max(other[0] for other in fast if is_same_face(face, other))
            assert score == pytest.approx(face[0], abs=sure if face[0] > SURE else unsure)


SCORES = """
import sys
from pathlib import Path
import numpy as np
from gateway.model import PictureLimits
from gateway.vision.decoding.decode import decode
from gateway.vision.engines.graphs import BLOCK_PX
from gateway.vision.engines.pyramid import plan_pyramid
from gateway.vision.engines.runtime import Graph

graph, out, scores = Graph(Path(sys.argv[1]), "f32"), sys.argv[2], []
for path in sys.argv[3:]:
    picture = decode(Path(path).read_bytes(), PictureLimits())
    for canvas in plan_pyramid(picture.shape[1], picture.shape[0], 80).draw(picture):
        scores.append(graph.run(canvas.reshape(1, canvas.shape[0], -1, 3 * BLOCK_PX)).ravel())
np.save(out, np.concatenate(scores))
"""


def scores_with(instructions: str, models: Path, out: Path) -> Floats:
    """Return the 8-bit scores of the detector from a process limited to these processor instructions."""
    command: list[str | Path] = [sys.executable, "-c", SCORES, models / "detector-int8.xml", out, *OWN]
    subprocess.run(command, env={**os.environ, "ONEDNN_MAX_CPU_ISA": instructions}, cwd=ROOT, check=True, timeout=300)
    scores: Floats = np.load(out)
    return scores


@pytest.mark.skipif(platform.machine() != "x86_64", reason="this is about instructions of x86-64")
def test_8_bit_scores_are_equal_with_all_instructions(models: Path, tmp_path: Path) -> None:
    """Regression: on older processors without VNNI sums were cut off at 16 bits, and faces were not found."""
    best, *others = (
        scores_with(each, models, tmp_path / f"{each}.npy") for each in ("ALL", "AVX512_CORE", "AVX2", "SSE41")
    )
    assert len(best) > 10_000
    for scores in others:
        np.testing.assert_allclose(scores, best, rtol=0, atol=1e-3)


def is_same_face(a: tuple[float, Rect], b: tuple[float, Rect]) -> bool:
    """Return whether dlib would take both windows for one face."""
    return len(suppress([a, b])) == 1
