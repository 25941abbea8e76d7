"""The speed of the gateway's engine compared with stock face_recognition: ``python -m benchmarks.engine [--json]``.

The measured task is from the bytes of a JPEG to the names of the people, with 1,000 people enrolled, on one thread.
Stock is the usual way to use face_recognition: decode with Pillow, then ``face_locations``, ``face_encodings`` and
``face_distance``. Facegate is the gateway's own code, with the recipe for streams. Engines with the same smallest face
are compared: HOG enlarged once, the default of face_recognition, finds 40 pixels; HOG and CNN without enlargement find
80.

The engines alternate, picture by picture, and the figures are medians over the rounds, because the speed of a machine
varies. ``peak_share`` is the speed of the two networks as a share of one core's peak in convolutions. The peak is
measured in the same run with a large convolution. ``cap`` is the limit of the environment variable
ONEDNN_MAX_CPU_ISA. ``formats`` has the number formats that were chosen, and ``instructions`` the share of each
network's time by the processor's instructions (benchmarks/instructions.py).
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # before the import of numpy and dlib

import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.engines import LIMITS, ROOT, engine
from benchmarks.instructions import used_instructions
from benchmarks.peak import peak_share
from benchmarks.snapshots import snapshot_of
from gateway.model import AnalyseTask, DetectionMethod, Search
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.gallery import Gallery
from gateway.people.similarity import Similarity, typical_faces
from gateway.store.records import Changes
from gateway.vision.analyse import analyse
from gateway.vision.engine import Engine
from gateway.vision.engines.conversion import converted_models_folder

SIZES = {"240p": 240, "480p": 480, "720p": 720, "1080p": 1080}
PEOPLE = 1000
ENGINES = {
    "stock_hog1": "face_recognition, HOG enlarged once (its default)",
    "facegate_40px": "Facegate, from 40 px",
    "stock_hog0": "face_recognition, HOG",
    "facegate_80px": "Facegate, from 80 px",
    "stock_cnn": "face_recognition, CNN",
    "facegate_56px": "Facegate, from 56 px (default)",
}

Namer = Callable[[bytes], list[str]]


def scaled(picture: bytes, height: int) -> bytes:
    with PIL.Image.open(io.BytesIO(picture)) as image:
        size = round(image.width * height / image.height), height
        out = io.BytesIO()
        image.convert("RGB").resize(size, PIL.Image.Resampling.LANCZOS).save(out, "JPEG", quality=90)
    return out.getvalue()


def people() -> NDArray[np.float64]:
    """Return random descriptors of the length of dlib's."""
    random = np.random.default_rng(0).normal(size=(PEOPLE, 128))
    described: NDArray[np.float64] = 1.4 * random / np.linalg.norm(random, axis=1, keepdims=True)
    return described


def stock(upsample: int, model: str) -> Namer:
    # The import loads the models: a second, which tests of other parts of this module do not need.
    from gateway.vision.engines.stock import api

    # A list of arrays, as in the documentation of face_recognition.
    known = list(people())

    def names(picture: bytes) -> list[str]:
        image = np.array(PIL.Image.open(io.BytesIO(picture)).convert("RGB"))
        found = []
        for descriptor in api.face_encodings(image, api.face_locations(image, upsample, model)):
            distances = api.face_distance(known, descriptor)
            nearest = int(np.argmin(distances))
            found.append(f"person {nearest}" if distances[nearest] <= 0.6 else "unknown")
        return found

    return names


def facegate(facegate_engine: Engine, min_face: int) -> Namer:
    vectors = people()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gallery = Gallery(Similarity(typical_faces()))
    gallery.apply(Changes(1, snapshot_of(vectors.astype(np.float32)), ()))
    decision = Decision(0.01, 0.001, measured_curves("facegate"))
    limits = decision.similarity_limits(len(gallery))

    def names(picture: bytes) -> list[str]:
        found = []
        for face in analyse(picture, facegate_engine, AnalyseTask(Search(min_face)), LIMITS).faces:
            assert face.descriptor is not None
            judgement = decision.identify(gallery.nearest(face.descriptor, limits))
            found.append(judgement.person.name if judgement.person else judgement.verdict)
        return found

    return names


def taken_ms(names: Namer, picture: bytes) -> float:
    begun = time.perf_counter()
    names(picture)
    return 1000 * (time.perf_counter() - begun)


def measure(picture: bytes, rounds: int, cnn_rounds: int, method: DetectionMethod) -> dict[str, Any]:
    facegate_engine = engine(method=method)
    namers = {
        "stock_hog1": stock(1, "hog"),
        "facegate_40px": facegate(facegate_engine, 40),
        "stock_hog0": stock(0, "hog"),
        "facegate_80px": facegate(facegate_engine, 80),
        "stock_cnn": stock(0, "cnn"),
        "facegate_56px": facegate(facegate_engine, 56),
    }
    result: dict[str, Any] = {}
    for size, height in SIZES.items():
        data = scaled(picture, height)
        # This also loads the models and fills caches.
        faces = {name: len(names(data)) for name, names in namers.items()}
        taken: dict[str, list[float]] = {name: [] for name in namers}
        for number in track(range(rounds), size, console=Console(stderr=True), disable=not sys.stderr.isatty()):
            for name, names in namers.items():
                if name != "stock_cnn" or number < cnn_rounds:
                    taken[name].append(taken_ms(names, data))
        ms = {name: statistics.median(each) for name, each in taken.items()}
        result[size] = {
            **{f"{name}_ms": round(each, 2) for name, each in ms.items()},
            "ratio_hog1": round(ms["stock_hog1"] / ms["facegate_40px"], 2),
            "ratio_hog0": round(ms["stock_hog0"] / ms["facegate_80px"], 2),
            "ratio_cnn": round(ms["stock_cnn"] / ms["facegate_80px"], 1),
            "faces": faces,
        }
    return {**result, "peak_share": peak_share(), **used_instructions(converted_models_folder(ROOT / "data"))}


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
@click.option("--rounds", default=15, show_default=True, help="Rounds, in which the engines alternate.")
@click.option("--cnn-rounds", default=3, show_default=True, help="Rounds with the CNN, which takes seconds.")
@click.option(
    "--picture", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=ROOT / "device_sim" / "frames" / "obama_1.jpg",
    help="Picture that is scaled to all sizes.  [default: a frame of the demo]",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(get_args(DetectionMethod)), default="two-stage", show_default=True,
    help="Method of facegate, as the setting detection.method.",
)  # fmt: skip
def main(as_json: bool, rounds: int, cnn_rounds: int, picture: Path, method: DetectionMethod) -> None:
    cv2.setNumThreads(1)
    result = measure(picture.read_bytes(), rounds, cnn_rounds, method)
    if as_json:
        click.echo(json.dumps(result))
        return
    table = Table("ms a frame", *SIZES)
    for name, title in ENGINES.items():
        table.add_row(title, *(f"{result[size][f'{name}_ms']:.1f}" for size in SIZES))
    table.add_section()
    for ratio in ("ratio_hog1", "ratio_hog0", "ratio_cnn"):
        table.add_row(ratio, *(str(result[size][ratio]) for size in SIZES))
    Console().print(table)
    click.echo(f"Share of the processor's peak: {result['peak_share']}")
    click.echo(f"Limit of the instructions: {result['cap'] or 'none'}. Formats: {result['formats']}")
    click.echo(f"Share of the time by instructions: {result['instructions']}")


if __name__ == "__main__":
    main()
