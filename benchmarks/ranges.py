"""The measurement of the ranges in 8 bits: ``python -m benchmarks.ranges [--pictures DIR]… [--json]``.

It runs dlib's detector in float32 over pictures: unchanged, darker, brighter, with more contrast, and grey. Then it
runs dlib's descriptor over the chips of the faces in them. For each convolution except the first it prints the largest
input. ``gateway/vision/engines/graphs.py`` has the results. ``DETECTOR_LIMITS`` was measured with the project's own
pictures, which no other benchmark uses. ``DESCRIPTOR_LIMITS`` needs faces of many people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.engines import engine
from gateway.model import PictureLimits
from gateway.vision.align import align
from gateway.vision.chips import cut_chips
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.dlib_weights import read_descriptor, read_detector
from gateway.vision.engines.graphs import BLOCK_PX, descriptor_graph, detector_graph
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.pyramid import plan_pyramid

ROOT = Path(__file__).resolve().parent.parent
OWN_PICTURES = (ROOT / "device_sim" / "frames", ROOT / "known_faces")
MIN_FACES = (40, 80)
OUTLIER_SHARE = 1e-6
"""Share of the numbers that may be outside of the printed range."""

Floats = NDArray[np.float32]


def variants(picture: Picture) -> Iterator[Picture]:
    bright = picture.astype(np.float32)
    yield picture
    for changed in (0.4 * bright, 1.6 * bright, 2 * bright - 128, np.repeat(bright.mean(2, keepdims=True), 3, 2)):
        yield np.clip(changed, 0, 255).astype(np.uint8)


def canvases(pictures: Sequence[Picture]) -> Iterator[Floats]:
    for picture in pictures:
        for min_face in MIN_FACES:
            for canvas in plan_pyramid(picture.shape[1], picture.shape[0], min_face).draw(picture):
                yield canvas.astype(np.float32).reshape(1, canvas.shape[0], -1, 3 * BLOCK_PX)


def chips(pictures: Sequence[Picture]) -> Iterator[Floats]:
    models = engine()
    for picture in pictures:
        for face in models.detector.detect(picture, min(MIN_FACES), None):
            found = align(picture, face, models.predictor_5, models.detector)
            once = cut_chips(picture, found.points, "enrolment")
            yield np.concatenate([once, once[:, :, ::-1]]).astype(np.float32)


def measured(graph: openvino.Model, inputs: Iterable[Floats]) -> dict[str, list[float]]:
    run = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    largest, ranges = [], []
    for each in inputs:
        seen = list(run(each).values())[1:]
        largest.append([float(layer.max()) for layer in seen])
        ranges.append([float(np.quantile(layer[layer > 0], 1 - OUTLIER_SHARE)) for layer in seen])
    return {
        "largest": np.round(np.max(largest, axis=0), 2).tolist(),
        "ranges": np.round(np.max(ranges, axis=0), 2).tolist(),
        "typical": np.round(np.median(largest, axis=0), 2).tolist(),
    }


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True, default=OWN_PICTURES,
    help="Folders of JPEG files, with their subfolders.  [default: the project's own]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(pictures: tuple[Path, ...], as_json: bool) -> None:
    paths = sorted(path for folder in pictures for path in folder.rglob("*.jpg"))
    seen = [each for path in paths for each in variants(decode(path.read_bytes(), PictureLimits()))]
    detector = detector_graph(read_detector(model_file("detector")), every=True)
    descriptor = descriptor_graph(read_descriptor(model_file("descriptor")), every=True)
    result = {"detector": measured(detector, canvases(seen)), "descriptor": measured(descriptor, chips(seen))}
    if as_json:
        click.echo(json.dumps({"pictures": len(paths), **result}))
        return
    click.echo(f"{len(paths)} pictures")
    for network, rows in result.items():
        for name, row in rows.items():
            click.echo(f"{network:10} {name:10} {row}")


if __name__ == "__main__":
    main()
