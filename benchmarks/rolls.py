"""Faces that are turned by any angle: ``python -m benchmarks.rolls --pictures DIR [--people N] [--angles …]``.

DIR is as for ``benchmarks.accuracy``. The first picture of each person is turned by each angle. For each angle the
command prints, as JSON:

- ``found``: pictures in which the face nearest the middle was found. ``turned``: those that nobody is named by, since
  no direction is surely upright.
- ``recognised``: of the people who have another picture, those whom it verifies, by the gateway's defaults.
- ``pairs`` and ``same``: pairs of different people at this angle, and those that face_match takes for one person.
- ``asked`` and ``named``: each person is enrolled alone by the turned picture, if enrolment takes it. Then all others
  at that angle are asked about, and some are given that name.
"""

from __future__ import annotations

import os

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"})  # read when numpy and dlib are loaded

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import click
import numpy as np
import PIL.Image

from benchmarks.engines import LIMITS, engine
from benchmarks.faces import labelled
from gateway.config import DecisionSettings
from gateway.model import AnalyseTask, FoundFace, Purpose
from gateway.people.curves import measured_curves
from gateway.people.decision import Decision
from gateway.people.similarity import Similarity, typical_faces
from gateway.vision.analyse import analyse
from gateway.vision.engine import Engine

ANGLES = (0, 15, 30, 45, 60, 75, 90, 120, 150, 180, 210, 240, 270, 300, 330)


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """A person's face on a turned picture, as in a stream and as to be enrolled, and on another, upright picture."""

    stream: FoundFace
    enrolment: FoundFace
    upright: FoundFace | None


class Judge:
    """Decides about pairs of faces by the gateway's defaults, with one person known."""

    def __init__(self) -> None:
        settings = DecisionSettings()
        self._similarity = Similarity(typical_faces())
        self.decision = Decision(
            settings.max_false_identification, settings.max_false_match, measured_curves("facegate")
        )

    def verified(self, one: FoundFace, other: FoundFace) -> bool:
        return self._score(one, other) >= self.decision.verification_threshold()

    def named(self, probe: FoundFace, enrolled: FoundFace) -> bool:
        return self.usable(probe) and self._score(probe, enrolled) >= self.decision.identification_threshold(1)

    def usable(self, face: FoundFace) -> bool:
        return face.descriptor is not None and self.decision.unfit_reason(face.quality) is None

    def _score(self, one: FoundFace, other: FoundFace) -> float:
        if one.descriptor is None or other.descriptor is None:
            return 0.0
        return self.decision.score(self._similarity.compare(one.descriptor, other.descriptor))


def turn(data: bytes, degrees: int) -> bytes:
    """The picture turned anticlockwise, with room for all of it, as PNG."""
    with PIL.Image.open(io.BytesIO(data)) as image:
        turned = image.convert("RGB").rotate(degrees, PIL.Image.Resampling.BICUBIC, expand=True)
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def describe(data: bytes, own: Engine, purpose: Purpose) -> FoundFace | None:
    """The face nearest the middle."""
    seen = analyse(data, own, AnalyseTask(descriptors=purpose), LIMITS)
    middle = np.array([seen.image.width, seen.image.height]) / 2

    def away(face: FoundFace) -> float:
        box = face.box
        return float(np.hypot(*(np.array([box.left + box.right, box.top + box.bottom]) / 2 - middle)))

    return min(seen.faces, key=away, default=None)


def figures(faces: Sequence[Turned], judge: Judge) -> dict[str, int]:
    pairs = [(a.enrolment, b.enrolment) for a, b in combinations(faces, 2)]
    enrolled = [face for face in faces if judge.usable(face.enrolment)]
    asked = [(probe.stream, face.enrolment) for face in enrolled for probe in faces if probe is not face]
    known = [(face.stream, face.upright) for face in faces if face.upright is not None]
    return {
        "found": len(faces),
        "turned": sum(not judge.usable(face.stream) for face in faces),
        "known": len(known),
        "recognised": sum(judge.verified(*pair) for pair in known),
        "pairs": len(pairs),
        "same": sum(judge.verified(*pair) for pair in pairs),
        "asked": len(asked),
        "named": sum(judge.named(*pair) for pair in asked),
    }


def measure(folder: Path, people: int, angles: Sequence[int]) -> dict[str, Any]:
    own, judge = engine(), Judge()
    grouped = [[each.path for each in group] for _, group in groupby(labelled(folder), lambda each: each.person)]
    drawn = sorted(np.random.default_rng(0).permutation(len(grouped))[:people].tolist())
    result: dict[str, Any] = {"people": len(drawn)}
    uprights = {n: describe(grouped[n][1].read_bytes(), own, "enrolment") for n in drawn if len(grouped[n]) > 1}
    for degrees in angles:
        faces = []
        for number in drawn:
            data = turn(grouped[number][0].read_bytes(), degrees)
            stream, enrolment = (describe(data, own, purpose) for purpose in ("stream", "enrolment"))
            if stream is not None and enrolment is not None:
                faces.append(Turned(stream, enrolment, uprights.get(number)))
        result[str(degrees)] = figures(faces, judge)
    return result


@click.command(help=__doc__)
@click.option(
    "--pictures", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True,
    help="The folder of photographs by person.",
)  # fmt: skip
@click.option("--people", default=30, show_default=True, help="How many people are drawn.")
@click.option("--angles", type=int, multiple=True, default=ANGLES, show_default=True, help="Degrees, anticlockwise.")
def main(pictures: Path, people: int, angles: tuple[int, ...]) -> None:
    click.echo(json.dumps(measure(pictures, people, angles), indent=1))


if __name__ == "__main__":
    main()
