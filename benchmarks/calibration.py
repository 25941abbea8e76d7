"""The impostor curve behind ``gateway/people/decision.py``: ``python -m benchmarks.calibration --pictures DIR``.

DIR holds ``<Person>_<nnnn>.jpg`` (the names of LFW), one person in the middle of each. Every picture is described
by the stock engine; of all pairs of different people the cosine at each false match rate is printed as JSON.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click
import numpy as np

from gateway.model import Descriptor, FoundFace, Look, Seen
from gateway.vision.engine import open_engine
from gateway.vision.look import look

RATES = (0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)

_engine = None  # one for each process of the executor


def _load() -> None:
    global _engine
    _engine = open_engine("dlib-hog")


def _describe(path: Path) -> Descriptor | None:
    assert _engine is not None
    seen = look(path.read_bytes(), _engine, Look(), max_pixels=25_000_000)
    return min(seen.faces, key=lambda face: _off_centre(face, seen)).descriptor if seen.faces else None


def _off_centre(face: FoundFace, seen: Seen) -> float:
    x = (face.box.left + face.box.right - seen.image.width) / 2
    y = (face.box.top + face.box.bottom - seen.image.height) / 2
    return float(np.hypot(x, y))


@click.command(help=__doc__)
@click.option("--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
def main(pictures: Path) -> None:
    paths = sorted(pictures.glob("*_[0-9][0-9][0-9][0-9].jpg"))
    with ProcessPoolExecutor(os.cpu_count(), initializer=_load) as executor:
        found = list(executor.map(_describe, paths, chunksize=16))
    described = [
        (path.stem[:-5], descriptor) for path, descriptor in zip(paths, found, strict=True) if descriptor is not None
    ]
    names = np.array([name for name, _ in described])
    matrix = np.stack([descriptor for _, descriptor in described])
    upper = np.triu_indices(len(names), 1)
    different = (names[:, None] != names[None, :])[upper]
    similarities = np.sort((matrix @ matrix.T)[upper][different])[::-1]
    genuine = (matrix @ matrix.T)[upper][~different]
    curve = {}
    for rate in RATES:
        threshold = float(similarities[int(rate * len(similarities))])
        curve[str(rate)] = {"similarity": round(threshold, 4), "fnmr": round(float((genuine < threshold).mean()), 3)}
    counts = {"pictures": len(paths), "found": len(names), "people": len(set(names.tolist()))}
    print(json.dumps({**counts, "impostor_pairs": len(similarities), "genuine_pairs": len(genuine), "curve": curve}))


if __name__ == "__main__":
    main()
