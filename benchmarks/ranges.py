"""The measurement of the detector's ranges in 8 bits: ``python -m benchmarks.ranges [--pictures DIR]… [--json]``.

It runs dlib's detector in float32 over pictures: unchanged, darker, brighter, with more contrast, and grey. For each
convolution except the first it prints the largest input. ``ACTIVATION_LIMITS`` in ``gateway/vision/engines/graphs.py``
was measured with the project's own pictures, which no other benchmark uses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from gateway.model import PictureLimits
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engines.dlib_weights import read_detector
from gateway.vision.engines.graphs import BLOCK_PX, detector_graph
from gateway.vision.engines.model_files import model_file
from gateway.vision.engines.openvino_import import openvino
from gateway.vision.engines.pyramid import plan_pyramid

ROOT = Path(__file__).resolve().parent.parent
OWN_PICTURES = (ROOT / "device_sim" / "frames", ROOT / "known_faces")
MIN_FACES = (40, 80)
OUTLIER_SHARE = 1e-6
"""Share of the numbers that may be outside of the printed range."""


def variants(picture: Picture) -> Iterator[Picture]:
    bright = picture.astype(np.float32)
    yield picture
    for changed in (0.4 * bright, 1.6 * bright, 2 * bright - 128, np.repeat(bright.mean(2, keepdims=True), 3, 2)):
        yield np.clip(changed, 0, 255).astype(np.uint8)


def canvases(paths: list[Path]) -> Iterator[NDArray[np.float32]]:
    for path in paths:
        for picture in variants(decode(path.read_bytes(), PictureLimits())):
            for min_face in MIN_FACES:
                for canvas in plan_pyramid(picture.shape[1], picture.shape[0], min_face).draw(picture):
                    yield canvas.astype(np.float32).reshape(1, canvas.shape[0], -1, 3 * BLOCK_PX)


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), multiple=True, default=OWN_PICTURES,
    help="Folders of JPEG files, with their subfolders.  [default: the project's own]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document only.")
def main(pictures: tuple[Path, ...], as_json: bool) -> None:
    paths = sorted(path for folder in pictures for path in folder.rglob("*.jpg"))
    model = detector_graph(read_detector(model_file("detector")), every=True)
    run = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    largest, ranges = [], []
    for canvas in canvases(paths):
        seen = list(run(canvas).values())[1:]
        largest.append([float(layer.max()) for layer in seen])
        ranges.append([float(np.quantile(layer[layer > 0], 1 - OUTLIER_SHARE)) for layer in seen])
    result = {
        "pictures": len(paths),
        "largest": np.round(np.max(largest, axis=0), 2).tolist(),
        "ranges": np.round(np.max(ranges, axis=0), 2).tolist(),
        "typical": np.round(np.median(largest, axis=0), 2).tolist(),
    }
    if as_json:
        click.echo(json.dumps(result))
        return
    for name, row in result.items():
        click.echo(f"{name:10} {row}")


if __name__ == "__main__":
    main()
