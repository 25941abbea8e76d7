"""Photographs of named people, and the descriptors of both engines for the face in each."""

from __future__ import annotations

import io
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from benchmarks.engines import LIMITS, engine
from gateway.config import WorkerSettings
from gateway.errors import GatewayError
from gateway.model import AnalyseTask, Descriptor, Purpose
from gateway.vision.analyse import analyse
from gateway.vision.engine import Engine

Name = Literal["stock", "facegate"]

Vectors = NDArray[np.float32]
"""Descriptors: shape (n, 128)."""


@dataclass(frozen=True, slots=True, eq=False)
class DescribedPictures:
    """The descriptors of the face nearest to the centre of each picture: for a stream, and for enrolment.

    They are zeros without a face. Those of facegate have unit length. Those of stock have dlib's length, and both are
    equal.
    """

    found: NDArray[np.bool_]
    stream: Vectors
    enrolment: Vectors


def describe(paths: Sequence[Path], name: Name) -> DescribedPictures:
    """Describe the face in each picture, on all cores."""
    work = _stock if name == "stock" else _facegate
    # The progress bar is a thread, so this process must not fork.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WorkerSettings().count, spawn) as executor:
        results = executor.map(work, paths, chunksize=8)
        shown = track(results, name, len(paths), console=Console(stderr=True), disable=not sys.stderr.isatty())
        described = list(shown)
    nothing = np.zeros(128, np.float32)
    stream, enrolment = zip(*(each or (nothing, nothing) for each in described), strict=True)
    return DescribedPictures(np.array([each is not None for each in described]), np.stack(stream), np.stack(enrolment))


def measure_ms_per_face(paths: Sequence[Path]) -> dict[Name, float | None]:
    """Return the median ms of each engine from the bytes of a picture to its descriptor, as for a stream.

    Pictures in which only one engine finds a face are ignored. The engines alternate in this process, because the speed
    of a machine varies.
    """
    ways: dict[Name, Callable[[bytes], object]] = {"stock": _stock_sees, "facegate": _facegate_sees}
    taken = []
    for path in paths:
        data = path.read_bytes()
        for way in ways.values():
            # Facegate compiles its networks for each new size of picture.
            way(data)
        laps = [_lap_ms(way, data) for way in ways.values()]
        if None not in laps:
            taken.append(laps)
    medians = np.median(np.array(taken, float), axis=0).round(2).tolist() if taken else [None, None]
    return dict(zip(ways, medians, strict=True))


def _lap_ms(way: Callable[[bytes], object], data: bytes) -> float | None:
    begun = time.perf_counter()
    found = way(data)
    return None if found is None else 1000 * (time.perf_counter() - begun)


def _stock(path: Path) -> tuple[Descriptor, Descriptor] | None:
    descriptor = _stock_sees(path.read_bytes())
    return None if descriptor is None else (descriptor, descriptor)


def _facegate(path: Path) -> tuple[Descriptor, Descriptor] | None:
    data = path.read_bytes()
    stream, enrolment = _facegate_sees(data), _facegate_sees(data, "enrolment")
    return None if stream is None or enrolment is None else (stream, enrolment)


def _stock_sees(data: bytes) -> Descriptor | None:
    """Return the descriptor with the default settings of face_recognition."""
    import gateway.vision.engines.stock  # noqa: F401  # imports the package without its warnings

    # isort: split
    from face_recognition import api

    try:
        image = api.load_image_file(io.BytesIO(data))
    # A decoder may raise nearly any exception.
    except Exception as error:
        click.echo(f"stock cannot read a picture: {error}", err=True)
        return None
    boxes = api.face_locations(image)
    descriptors = api.face_encodings(image, boxes)
    middles = [((left + right) / 2, (top + bottom) / 2) for top, right, bottom, left in boxes]
    nearest = _nearest_middle(middles, image.shape[1], image.shape[0])
    return None if nearest is None else descriptors[nearest].astype(np.float32)


def _facegate_sees(data: bytes, purpose: Purpose = "stream") -> Descriptor | None:
    try:
        seen = analyse(data, _engine(), AnalyseTask(descriptors=purpose), LIMITS)
    except GatewayError as error:
        click.echo(f"facegate cannot read a picture: {error}", err=True)
        return None
    middles = [((face.box.left + face.box.right) / 2, (face.box.top + face.box.bottom) / 2) for face in seen.faces]
    nearest = _nearest_middle(middles, seen.image.width, seen.image.height)
    return None if nearest is None else seen.faces[nearest].descriptor


def _nearest_middle(points: Sequence[tuple[float, float]], width: int, height: int) -> int | None:
    distances = [float(np.hypot(x - width / 2, y - height / 2)) for x, y in points]
    return distances.index(min(distances)) if distances else None


@cache
def _engine() -> Engine:
    return engine()
