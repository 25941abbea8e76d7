"""The 68 points from the mesh, compared with those of dlib's model: ``python -m benchmarks.landmarks --pictures DIR``.

The pictures are DIR's and those of its folders. Only upright faces count. The command prints, as JSON:

- ``faces``: the number of faces.
- ``distance``: the mean distance of the points of a face, divided by the distance between its eyes: the median of the
  faces, and the value below which 90 % of them are.
- ``groups``: the median for each group of points.
- ``mesh_ms``: the time of the mesh for one face, the median.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.engines import LIMITS, engine
from gateway.model import Points
from gateway.people.labelled_pictures import SUFFIXES
from gateway.vision.align import align
from gateway.vision.decoding.decode import Picture, decode
from gateway.vision.engine import Engine
from gateway.vision.engines.landmarks import Predictor68
from gateway.vision.head_pose import roll_of_points
from gateway.vision.landmark_groups import MESH_POINTS_68, POINT_GROUPS_68

EYES = (slice(36, 42), slice(42, 48))
"""The numbers of the points of both eyes."""


def distances(found: Points, expected: Points) -> NDArray[np.float32]:
    """Return the distance of each point, (68,), divided by the distance between the eyes."""
    left, right = (expected[numbers].mean(axis=0) for numbers in EYES)
    return np.asarray(np.linalg.norm(found - expected, axis=1) / np.linalg.norm(left - right), np.float32)


def compare_faces(
    picture: Picture, facegate: Engine, dlib_68: Predictor68
) -> Iterator[tuple[NDArray[np.float32], float]]:
    """Return for each upright face the distances of its points, and the milliseconds of the mesh."""
    for face in facegate.detector.detect(picture, 56, None):
        aligned = align(picture, face, facegate.predictor_5, facegate.detector)
        if not aligned.upright or aligned.turns:
            continue
        start = time.perf_counter()
        mesh = facegate.mesh.points(picture, face.box, roll_of_points(aligned.points))
        elapsed_ms = 1000 * (time.perf_counter() - start)
        yield distances(mesh[list(MESH_POINTS_68), :2], dlib_68.points(picture, face.box)), elapsed_ms


def summarise(faces: NDArray[np.float32]) -> Mapping[str, Any]:
    """Return the figures. ``faces``: the distances, (n, 68)."""

    def rounded(value: np.floating[Any]) -> float:
        return round(float(value), 3)

    means = faces.mean(axis=1)
    return {
        "faces": len(faces),
        "distance": {"median": rounded(np.median(means)), "90 %": rounded(np.percentile(means, 90))},
        "groups": {
            name: rounded(np.median(faces[:, list(numbers)].mean(axis=1))) for name, numbers in POINT_GROUPS_68.items()
        },
    }


def measure(folder: Path) -> Mapping[str, Any]:
    """Return the figures of all pictures in the folder. Raise ClickException if there is no upright face."""
    facegate, dlib_68 = engine(), Predictor68()
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    seen = [each for path in paths for each in compare_faces(decode(path.read_bytes(), LIMITS), facegate, dlib_68)]
    if not seen:
        raise click.ClickException(f"there is no upright face in the pictures of {folder}")
    faces, times_ms = zip(*seen, strict=True)
    return {**summarise(np.stack(faces)), "mesh_ms": round(float(np.median(times_ms)), 1)}


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="Folder of photographs.",
)  # fmt: skip
def main(pictures: Path) -> None:
    click.echo(json.dumps(measure(pictures), indent=1))


if __name__ == "__main__":
    main()
